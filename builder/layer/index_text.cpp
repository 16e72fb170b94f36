#include "builder/layer/index_text.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"

namespace kiln {

std::string inflate_index(std::string_view blob, std::string_view where, std::uint64_t max_bytes) {
  const auto refuse = [&](std::string_view what) {
    throw Error(Category::network, fmt::format("{}: no file index of kiln: {}", where, what));
  };
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  std::string text;
  ZSTD_inBuffer in{blob.data(), blob.size(), 0};
  for (std::size_t hint = 1; hint != 0;) {
    const std::size_t before = text.size();
    const std::size_t step = std::clamp<std::size_t>(before, 128 << 10, 8 << 20);
    text.resize(before + step);
    ZSTD_outBuffer out{text.data() + before, step, 0};
    hint = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(hint)) refuse(ZSTD_getErrorName(hint));
    text.resize(before + out.pos);
    if (text.size() > max_bytes) refuse(fmt::format("it is larger than {} bytes", max_bytes));
    if (hint != 0 && out.pos == 0 && in.pos == in.size) refuse("it is cut");
  }
  if (in.pos != in.size) refuse("something stands behind it");
  return text;
}

}  // namespace kiln
