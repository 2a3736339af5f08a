#include "ordered_values.h"

#include "interval.h"

namespace tableflow {

namespace {

int64_t text_bytes(const std::string& text) { return text.capacity() > 15 ? int64_t(text.capacity()) : 0; }
template <class T> int64_t text_bytes(const T&) { return 0; }

template <class T> T whole(const Vector& v, int64_t row) {
  switch (v.kind) {
    case Kind::Bool: return T(bit(v.data, v.offset + row));
    case Kind::I8: return T(v.values<int8_t>()[row]);
    case Kind::I16: return T(v.values<int16_t>()[row]);
    case Kind::I32: return T(v.values<int32_t>()[row]);
    case Kind::I64: return T(v.values<int64_t>()[row]);
    case Kind::I128: {
      const int128 value = value_at(v.values<int128>(), row);
      if (int128(T(value)) != value) throw std::invalid_argument("a decimal has more digits than its type");
      return T(value);
    }
    case Kind::F32: return T(ordered_bits(double(v.values<float>()[row])));
    case Kind::F64: return T(ordered_bits(v.values<double>()[row]));
    default: throw std::invalid_argument("an aggregate's argument is not stored as a number");
  }
}

template <class T> T read(const Vector& v, int64_t row) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (v.kind != Kind::Dict && v.kind != Kind::Str && v.kind != Kind::LargeStr)
      throw std::invalid_argument("an aggregate's argument is not stored as text");
    return std::string(text_at(v, row));
  } else if constexpr (std::is_same_v<T, OrderedInterval>) {
    if (v.kind != Kind::Interval) throw std::invalid_argument("an aggregate's argument is not stored as an interval");
    const int128 value = value_at(v.values<int128>(), row);
    return {interval_length(&value), value};
  } else {
    return whole<T>(v, row);
  }
}

}  // namespace

bool OrderedInterval::operator<(const OrderedInterval& other) const {
  return length != other.length ? length < other.length : interval_spelling(value) < interval_spelling(other.value);
}

template <class T> void OrderedValues<T>::add(uint32_t group, T value, int64_t times) {
  if (times == 0) return;
  auto& all = values_[group];
  const auto [at, fresh] = all.try_emplace(std::move(value), 0);
  if (fresh) {
    ++count_;
    text_bytes_ += text_bytes(at->first);
  }
  at->second += times;
  if (at->second == 0) {
    --count_;
    text_bytes_ -= text_bytes(at->first);
    all.erase(at);
  }
}

template <class T> void OrderedValues<T>::update(const Vector* values, const Lanes& lanes) {
  for (int i = 0; i < lanes.n; ++i) add(lanes.groups[i], read<T>(*values, lanes.base + lanes.index[i]), lanes.weight(i));
}

template <class T> void OrderedValues<T>::absorb(const Accumulator& other, const Moves& moves) {
  const auto& from = static_cast<const OrderedValues&>(other).values_;
  for (int64_t i = 0; i < moves.n; ++i)
    for (const auto& [value, count] : from[moves.from[i]]) add(moves.to[i], value, count);
}

template <class T> const T* OrderedValues<T>::extreme(int64_t group, bool greatest) const {
  const auto& all = values_[size_t(group)];
  if (greatest) {
    for (auto at = all.rbegin(); at != all.rend(); ++at)
      if (at->second > 0) return &at->first;
    return nullptr;
  }
  const T* least = nullptr;
  for (const auto& [value, count] : all) {
    if (count <= 0) continue;
    if constexpr (std::is_same_v<T, OrderedInterval>) {  // equal ones follow
      if (least && value.length != least->length) return least;
      least = &value;
    } else {
      return &value;
    }
  }
  return least;
}

template <class T> void OrderedValues<T>::save(StateWriter& out) const {
  out.put(uint64_t(values_.size()));
  for (const auto& all : values_) {
    out.put(uint64_t(all.size()));
    for (const auto& [value, count] : all) {
      if constexpr (std::is_same_v<T, std::string>) {
        out.put_text(value);
      } else {
        out.put(value);
      }
      out.put(count);
    }
  }
}

template <class T> void OrderedValues<T>::load(StateReader& in) {
  clear();
  const auto groups = in.get<uint64_t>();
  resize(int64_t(groups));
  for (uint64_t group = 0; group < groups; ++group) {
    for (auto left = in.get<uint64_t>(); left > 0; --left) {
      T value;
      if constexpr (std::is_same_v<T, std::string>) {
        value = std::string(in.get_text());
      } else {
        value = in.get<T>();
      }
      add(uint32_t(group), std::move(value), in.get<int64_t>());
    }
  }
}

template <class T> void OrderedValues<T>::clear() {
  values_.clear();
  values_.shrink_to_fit();
  count_ = text_bytes_ = 0;
}

template class OrderedValues<int64_t>;
template class OrderedValues<int128>;
template class OrderedValues<std::string>;
template class OrderedValues<OrderedInterval>;

}  // namespace tableflow
