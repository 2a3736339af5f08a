// Which texts of a column contain some bytes: the column is searched as one text, since its values lie side by side.
#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>

#include <algorithm>

#include "numpy_array.h"
#include "program_like.h"
#include "text_search.h"

namespace nb = nanobind;

namespace tableflow {

void mark_containing(const Vector& texts, std::string_view needle, bool* found) {
  if (texts.kind != Kind::Str && texts.kind != Kind::LargeStr) throw std::invalid_argument("only texts are searched");
  if (needle.empty()) throw std::invalid_argument("nothing to search for");
  std::fill_n(found, texts.length, false);
  if (texts.length == 0) return;
  const char* const begin = texts.str(0).data();
  const auto end_of = [&](int64_t row) {
    const std::string_view text = texts.str(row);
    return size_t(text.data() + text.size() - begin);
  };
  const std::string_view all(begin, end_of(texts.length - 1));
  int64_t row = 0;
  for (size_t at = 0; (at = program::find_bytes(all, needle, at)) != std::string_view::npos;) {
    while (end_of(row) <= at) ++row;
    const size_t end = end_of(row);
    if (at + needle.size() > end) {  // a part of it belongs to the next text
      ++at;
      continue;
    }
    found[row] = true;
    at = end;
  }
}

}  // namespace tableflow

using namespace tableflow;

void register_text_search(nb::module_& m) {
  m.def(
      "containing",
      [](const VectorPtr& texts, const nb::bytes& needle) {
        const std::string_view bytes(needle.c_str(), needle.size());
        auto found = std::make_shared<Buffer>(size_t(texts->length));
        {
          nb::gil_scoped_release released;
          mark_containing(*texts, bytes, found->as<bool>());
        }
        return to_numpy<bool>(std::move(found), size_t(texts->length));
      },
      nb::arg("texts"), nb::arg("needle"));
}
