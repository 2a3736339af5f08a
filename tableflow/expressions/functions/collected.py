"""Aggregates that need all rows of a group together: their types.  Operators collect the rows of a group and compute."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.errors import BindError
from tableflow.expressions.coercion import cast, implicit_cast
from tableflow.expressions.function import AggregateFunction, Binding, Rule, numeric_nulls
from tableflow.expressions.nodes import Expression, Literal

_UNORDERED = (t.MapType, t.JsonType)


def _array(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), t.ArrayType(args[0].type)) if len(args) == 1 else None


def _same(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), args[0].type) if len(args) == 1 else None


def _comparable(args: Sequence[Expression]) -> Binding | None:
    return None if len(args) != 1 or isinstance(args[0].type, _UNORDERED) else _same(args)


def _by(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or isinstance(args[1].type, _UNORDERED):
        return None
    return Binding(tuple(args), args[0].type)


def _joined(args: Sequence[Expression]) -> Binding | None:
    if len(args) not in (1, 2):
        return None
    text = cast(args[0], t.STRING)
    separator = implicit_cast(args[1], t.STRING) if len(args) == 2 else Literal(t.STRING, ",")
    if not isinstance(separator, Literal) or separator.value is None:
        raise BindError("the separator is a literal text", span=getattr(args[1], "span", None))
    return Binding((text, separator), t.STRING)


def _fraction(of: Expression) -> Literal:
    found = cast(of, t.DOUBLE) if t.is_numeric(of.type) else of
    if not isinstance(found, Literal) or not isinstance(found.value, float) or not 0.0 <= found.value <= 1.0:
        raise BindError("the fraction is a literal number from 0 to 1", span=getattr(of, "span", None))
    return found


def _continuous(args: Sequence[Expression]) -> Binding | None:
    args = [*numeric_nulls(args[:1]), *args[1:]]
    if len(args) != 2 or not t.is_numeric(args[0].type):
        return None
    return Binding((cast(args[0], t.DOUBLE), _fraction(args[1])), t.DOUBLE)


def _discrete(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or isinstance(args[0].type, _UNORDERED):
        return None
    return Binding((args[0], _fraction(args[1])), args[0].type)


def _doubles(count: int, result: t.SqlType = t.DOUBLE) -> Rule:
    def rule(args: Sequence[Expression]) -> Binding | None:
        args = numeric_nulls(args)
        if len(args) != count or not all(t.is_numeric(arg.type) for arg in args):
            return None
        return Binding(tuple(cast(arg, t.DOUBLE) for arg in args), result)

    return rule


def _bits(args: Sequence[Expression]) -> Binding | None:
    args = numeric_nulls(args)
    return _same(args) if len(args) == 1 and isinstance(args[0].type, t.IntegerType) else None


def _any(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), t.BIGINT) if len(args) == 1 else None


def _collected(
    name: str, signature: str, doc: str, rule: Rule, example: tuple[str, str], *aliases: str, ordered: bool = False
) -> AggregateFunction:
    return AggregateFunction(name, signature, doc, rule, aliases, example=example, collected=True, ordered=ordered)


def _regression(name: str, doc: str, answer: str) -> AggregateFunction:
    result = t.BIGINT if name == "regr_count" else t.DOUBLE
    return _collected(name, f"{name}(y, x)", doc, _doubles(2, result), (f"{name}(2 * x + 1, x)", answer))


def _grouping(args: Sequence[Expression]) -> Binding | None:
    return Binding(tuple(args), t.BIGINT) if args else None


AGGREGATES = (
    AggregateFunction(
        "grouping", "grouping(key, ...)",
        "With GROUPING SETS, ROLLUP or CUBE: a bit for each key, the first one's highest, which is 1 where the row's set lacks it.",
        _grouping, ("grouping_id",), example=("SELECT grouping(x) FROM v GROUP BY ROLLUP (x) ORDER BY 1 DESC LIMIT 1", "1"),
        collected=True,
    ),
    AggregateFunction(
        "approx_count_distinct", "approx_count_distinct(value)", "How many different values there are; here it is exact.", _any,
        example=("approx_count_distinct(x)", "3"), distinct_of="count",
    ),
    _collected(
        "array_agg", "array_agg([DISTINCT] value [ORDER BY ...])",
        "The values as an array, NULLs too; without ORDER BY as they arrive.", _array,
        ("array_agg(x ORDER BY x DESC)", "[4, 2, 2, 1, NULL]"), "list", ordered=True,
    ),
    _collected(
        "string_agg", "string_agg([DISTINCT] text [, separator] [ORDER BY ...])",
        "The texts side by side, with the separator (a comma) between; LISTAGG takes WITHIN GROUP (ORDER BY ...).", _joined,
        ("string_agg(y, '-' ORDER BY y)", "a-b-c-d-e"), "listagg", "group_concat", ordered=True,
    ),
    _collected(
        "first", "first(value [ORDER BY ...])", "The value of the first row, be it NULL.", _same,
        ("first(x ORDER BY y)", "2"), ordered=True,
    ),
    _collected(
        "last", "last(value [ORDER BY ...])", "The value of the last row, be it NULL.", _same, ("last(x ORDER BY y)", "NULL"),
        ordered=True,
    ),
    _collected(
        "arg_min", "arg_min(value, by)", "The value where by is least; rows with a NULL are left out.", _by,
        ("arg_min(x, y)", "2"), "min_by",
    ),
    _collected(
        "arg_max", "arg_max(value, by)", "The value where by is greatest; rows with a NULL are left out.", _by,
        ("arg_max(x, y)", "1"), "max_by",
    ),
    _collected(
        "median", "median(number)", "The middle value, as DOUBLE; of an even count the mean of the two.", _doubles(1),
        ("median(x)", "2.0"),
    ),
    _collected(
        "quantile_cont", "quantile_cont(number, fraction)",
        "The value below which the fraction lies, between two values linearly. Also percentile_cont(fraction) WITHIN GROUP "
        "(ORDER BY number).",
        _continuous, ("quantile_cont(x, 0.25)", "1.75"), "percentile_cont", ordered=True,
    ),
    _collected(
        "quantile_disc", "quantile_disc(value, fraction)",
        "The first value at which the fraction is reached. Also percentile_disc(fraction) WITHIN GROUP (ORDER BY value).",
        _discrete, ("quantile_disc(y, 0.5)", "c"), "percentile_disc", "quantile", ordered=True,
    ),
    _collected("mode", "mode(value)", "The most frequent value, of several the least.", _comparable, ("mode(x)", "2")),
    _collected("product", "product(number)", "The product, as DOUBLE.", _doubles(1), ("product(x)", "16.0")),
    _collected("bit_and", "bit_and(integer)", "The bits that all have.", _bits, ("bit_and(x)", "0")),
    _collected("bit_or", "bit_or(integer)", "The bits that any has.", _bits, ("bit_or(x)", "7")),
    _collected("bit_xor", "bit_xor(integer)", "The bits that an odd number has.", _bits, ("bit_xor(x)", "5")),
    _collected(
        "covar_pop", "covar_pop(y, x)", "Covariance of a population, over the rows where neither is NULL.", _doubles(2),
        ("covar_pop(x, 2 * x)", "2.375"),
    ),
    _collected(
        "covar_samp", "covar_samp(y, x)", "Covariance of a sample; NULL of fewer than two rows.", _doubles(2),
        ("round(covar_samp(x, x), 3)", "1.583"),
    ),
    _collected("corr", "corr(y, x)", "Pearson's coefficient of correlation.", _doubles(2), ("round(corr(2 * x, x), 6)", "1.0")),
    _regression("regr_count", "Rows where neither is NULL.", "4"),
    _regression("regr_avgx", "Mean of x over the rows where neither is NULL.", "2.25"),
    _regression("regr_avgy", "Mean of y over the rows where neither is NULL.", "5.5"),
    _regression("regr_sxx", "Sum of the squared distances of x from its mean.", "4.75"),
    _regression("regr_syy", "Sum of the squared distances of y from its mean.", "19.0"),
    _regression("regr_sxy", "Sum of the products of the distances of x and y from their means.", "9.5"),
    _regression("regr_slope", "Slope of the line that fits best.", "2.0"),
    _regression("regr_intercept", "Where the line that fits best is at 0.", "1.0"),
    _regression("regr_r2", "The part of the variance of y that the line explains.", "1.0"),
    _collected(
        "skewness", "skewness(number)", "How lopsided the values of a sample lie; NULL of fewer than three rows.", _doubles(1),
        ("round(skewness(x), 4)", "1.1293"),
    ),
    _collected(
        "kurtosis", "kurtosis(number)", "Excess kurtosis of a sample; NULL of fewer than four rows.", _doubles(1),
        ("round(kurtosis(x), 4)", "2.2271"),
    ),
    _collected(
        "kurtosis_pop", "kurtosis_pop(number)", "Excess kurtosis of a population.", _doubles(1),
        ("round(kurtosis_pop(x), 4)", "-0.903"),
    ),
)  # fmt: skip
