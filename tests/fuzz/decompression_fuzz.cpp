#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/compression.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/layer/compressed.hpp"

// Any bytes as a compressed stream, read whole and by frames.
namespace kiln::fuzz {

namespace {

constexpr DecompressionLimits kLimits{1 << 20};

void drain(std::unique_ptr<ByteSource> stream) {
  std::string buffer(10000, '\0');
  std::uint64_t total = 0;
  while (const std::size_t count = stream->read(buffer.data(), buffer.size())) total += count;
  require(total <= kLimits.max_bytes, "more came out than the limit allows");
}

}  // namespace

void fuzz_one(std::string_view input) {
  static ThreadPool pool(1);
  const auto attempt = [](auto&& open) {
    try {
      drain(open());
    } catch (const Error& error) {
      require(error.category() == Category::build, "another category");
    }
  };
  const auto source = [&] { return std::make_unique<MemorySource>(input); };
  attempt([&] { return decompress_any(source(), "input", kLimits); });
  const std::uint64_t half = input.size() / 2;
  attempt([&] {
    return decompress_frames(source(), {{half, 1000}, {input.size() - half, 1000}}, pool, "input", kLimits);
  });
}

std::vector<std::string> seeds() {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i * i) + "\n";
  std::vector<std::string> result;
  for (const char* kind : {"gzip", "gzip:6", "gzip:0", "zstd", "zstd:19"}) {
    const Compression compression = Compression::parse_text(kind);
    result.push_back(test::compressed(text, compression));
    result.push_back(test::compressed({text.substr(0, 1000), text.substr(1000, 1000)}, compression));
  }
  result.push_back(
      std::string("\xfd"
                  "7zXZ\0\0\x04\xe6\xd6\xb4\x46\x02\0\x21\x01\x16\0\0\0",
                  20));
  result.push_back("BZh91AY&SY");
  return result;
}

std::vector<std::string> words() {
  return {"\x1f\x8b\x08",     std::string("\0\0\0\0", 4),     "\x28\xb5\x2f\xfd",
          "\xff\xff\xff\xff", std::string("\0\0\xff\xff", 4), std::string("\x03\0", 2),
          "\x50\x2a\x4d\x18"};
}

}  // namespace kiln::fuzz
