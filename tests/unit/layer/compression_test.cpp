#include "builder/layer/compression.hpp"

#include <doctest/doctest.h>

#include "compressed.hpp"
#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

// There where the program is linked with a sanitizer, which this source need not be compiled by.
extern "C" {
[[gnu::weak]] void __asan_init();
[[gnu::weak]] void __tsan_init();
}

namespace {

// Gives its bytes away a few at a time.
class SlowSource : public ByteSource {
 public:
  SlowSource(std::string bytes, std::size_t step) : bytes_(std::move(bytes)), step_(step) {}
  std::size_t read(void* buffer, std::size_t size) override {
    const std::size_t count = std::min({size, step_, bytes_.size() - at_});
    std::copy_n(bytes_.data() + at_, count, static_cast<char*>(buffer));
    at_ += count;
    return count;
  }

 private:
  std::string bytes_;
  std::size_t step_;
  std::size_t at_ = 0;
};

std::unique_ptr<ByteSource> source_of(std::string bytes, std::size_t step = 1 << 20) {
  return std::make_unique<SlowSource>(std::move(bytes), step);
}

std::string inflate(std::string bytes, std::size_t step = 1 << 20, DecompressionLimits limits = {}) {
  const auto stream = decompress_stream(source_of(std::move(bytes), step), "a blob", limits);
  return read_to_end(*stream, 1 << 30, "a blob");
}

std::vector<Compression> all_kinds() {
  return {Compression::parse("gzip"),    Compression::parse("gzip", 0), Compression::parse("gzip", 1),
          Compression::parse("gzip", 6), Compression::parse("zstd"),    Compression::parse("zstd", 10)};
}

}  // namespace

TEST_CASE("every compression gives back what it was given, block after block, however it is read") {
  const std::string a = varied_bytes(300000, 1);
  const std::string b = varied_bytes(70000, 2);
  for (const Compression& compression : all_kinds()) {
    CAPTURE(compression.str());
    const std::string packed = compressed({a, "", b}, compression);
    CHECK(inflate(packed) == a + b);
    CHECK(inflate(packed, 7) == a + b);
    CHECK(inflate(compressed(a.substr(0, 1000), compression), 1) == a.substr(0, 1000));
    CHECK(inflate(compressed("", compression), 1) == "");
    // Streams one behind the other, as gzip members and zstd frames may stand.
    CHECK(inflate(packed + compressed(b, compression), 100) == a + b + b);
  }
  CHECK(inflate("plain text") == "plain text");
  CHECK(inflate("") == "");
}

TEST_CASE("incompressible blocks survive too") {
  std::string noise(kBlockBytes, '\0');
  std::uint64_t state = 88172645463325252ull;
  for (char& c : noise) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state >> 32);
  }
  for (const Compression& compression : all_kinds()) {
    CAPTURE(compression.str());
    CHECK(inflate(compressed(noise, compression)) == noise);
  }
}

TEST_CASE("the bytes of a compressed stream are pinned") {
  const std::string block = varied_bytes(kBlockBytes, 3);
  CHECK(oci::sha256_of(compressed({block, block.substr(0, 100)}, Compression::parse("gzip"))).str() ==
        "sha256:01fc6a6bec373a2eb458f7cb4648535715590ae06a5263ca5e3326851a83feea");
  CHECK(oci::sha256_of(compressed({block, block.substr(0, 100)}, Compression::parse("gzip", 6))).str() ==
        "sha256:21bc1b101ba49afaec0332b58cce8c1e873bba6aa80202abfc39abe0adb505ea");
  CHECK(oci::sha256_of(compressed(block, Compression::parse("zstd"))).str() ==
        "sha256:49384da9e69ea266f57ecaebc3c1f9f0839803052345b8050c1358d16cad9447");
}

TEST_CASE("another CPU makes the same bytes") {
  if (__asan_init != nullptr || __tsan_init != nullptr) {
    MESSAGE("skipped: a sanitized program does not run in the emulator");
    return;
  }
  if (!find_program("qemu-x86_64-static")) {
    MESSAGE("skipped: there is no qemu-x86_64-static here");
    return;
  }
  const std::string self = fs::read_symlink("/proc/self/exe").native();
  for (const char* cpu : {"Nehalem", "Haswell"}) {
    CAPTURE(cpu);
    const std::string output = output_of({"qemu-x86_64-static", "-cpu", cpu, self, "--test-case=*are pinned*"});
    CHECK(output.find("2 passed | 0 failed") != std::string::npos);
  }
}

TEST_CASE("level 3 of gzip is level 2, since ISA-L's own differs between CPUs") {
  const std::string block = varied_bytes(100000, 4);
  CHECK(compressed(block, Compression::parse("gzip", 3)) == compressed(block, Compression::parse("gzip", 2)));
}

TEST_CASE("other people's tools read what was compressed") {
  const std::string a = varied_bytes(100000, 5);
  for (const int level : {0, 1, 2, 4, 9, 12}) {
    CAPTURE(level);
    CHECK(output_of({"gzip", "-dc"}, compressed({a, a}, Compression::parse("gzip", level))) == a + a);
  }
  const std::string zstd = compressed(a, Compression::parse("zstd")) + compressed(a, Compression::parse("zstd", 1));
  CHECK(output_of({"zstd", "-dcq"}, zstd) == a + a);
}

TEST_CASE("what other tools compressed is read") {
  const std::string a = varied_bytes(500000, 6);
  for (const auto& argv : std::vector<std::vector<std::string>>{
           {"gzip", "-c"}, {"zstd", "-cq"}, {"zstd", "-cq", "-19"}, {"bzip2", "-c"}, {"xz", "-c"}}) {
    CAPTURE(argv.front());
    const std::string packed = output_of(argv, a);
    const auto stream = decompress_any(source_of(packed, 1000), "archive");
    CHECK(read_to_end(*stream, 1 << 20, "archive") == a);
  }
  const auto plain = decompress_any(source_of(a), "archive");
  CHECK(read_to_end(*plain, 1 << 20, "archive") == a);
}

TEST_CASE("a zstd frame whose window is above the limit is refused before its memory is taken") {
  const auto frame = [](char window) {  // a header without a size of the content, and a last block of one raw byte
    return std::string("\x28\xb5\x2f\xfd\0", 5) + window + std::string("\x09\0\0", 3) + "a";
  };
  CHECK(inflate(frame('\x88')) == "a");        // 128 MiB
  for (const char above : {'\x90', '\xa8'}) {  // 256 MiB, 2 GiB
    CHECK_ERROR(inflate(frame(above)), Category::build,
                "'a blob' needs a zstd window of more than 128 MiB; compress it with '--long=27' at most");
  }
}

TEST_CASE("cut, damaged and prolonged data is refused by name") {
  const std::string a = varied_bytes(50000, 7);
  for (const Compression& compression : all_kinds()) {
    CAPTURE(compression.str());
    const std::string packed = compressed(a, compression);
    CHECK_ERROR(inflate(packed.substr(0, packed.size() / 2)), Category::build,
                doctest::Contains("'a blob' is cut in its "));
    CHECK_ERROR(inflate(packed.substr(0, packed.size() - 1)), Category::build,
                doctest::Contains("'a blob' is cut in its "));
    CHECK_ERROR(inflate(packed + "garbage behind it"), Category::build, doctest::Contains("'a blob' is damaged: "));
  }
  std::string flipped = compressed(a, Compression::parse("gzip"));
  flipped[flipped.size() / 2] ^= 0x10;
  CHECK_ERROR(inflate(flipped), Category::build, doctest::Contains("'a blob' is damaged: "));
  const std::string xz = output_of({"xz", "-c"}, a);
  CHECK(read_to_end(*decompress_any(source_of(xz + std::string(40, '\0') + xz), "x"), 1 << 22, "x") == a + a);
  for (const std::string behind : {"garbage", "\xfd"}) {
    const auto longer = decompress_any(source_of(xz + behind), "x");
    std::string all(a.size(), '\0');
    CHECK(read_fully(*longer, all.data(), all.size()) == a.size());
    CHECK(all == a);
    char more = 0;
    CHECK_ERROR(longer->read(&more, 1), Category::build, doctest::Contains("'x' is"));
  }
  CHECK_ERROR(read_to_end(*decompress_any(source_of(xz.substr(0, 200)), "x"), 1 << 20, "x"), Category::build,
              doctest::Contains("'x' is cut in its xz data"));
}

TEST_CASE("a bomb is stopped at the limit") {
  const std::string zeros(8 << 20, '\0');
  for (const char* kind : {"gzip", "zstd"}) {
    const std::string bomb = compressed(zeros, Compression::parse(kind));
    CHECK(message_of([&] { inflate(bomb, 1 << 20, {1 << 20}); }) == "'a blob' unpacks to more than 1048576 bytes");
    CHECK(inflate(bomb, 1 << 20, {8 << 20}).size() == zeros.size());
  }
  CHECK(DecompressionLimits().max_bytes == std::uint64_t{256} << 30);
}

namespace {

struct Framed {
  std::string packed;
  std::string plain;
  std::vector<Frame> frames;
};

Framed framed(std::string_view kind, std::uint32_t count) {
  Framed result;
  std::vector<std::string> blocks;
  for (std::uint32_t i = 0; i < count; ++i) {
    blocks.push_back(varied_bytes(10000 + i, i));
    result.plain += blocks.back();
  }
  result.packed = compressed(blocks, Compression::parse_text(kind), &result.frames);
  return result;
}

std::string read_frames(const std::vector<Frame>& frames, const std::string& bytes) {
  static ThreadPool pool(3);
  const auto stream = decompress_frames(source_of(bytes, 777), frames, pool, "blob");
  return read_to_end(*stream, 1 << 30, "blob");
}

}  // namespace

TEST_CASE("known frames are inflated in parallel and in order") {
  for (const char* kind : {"gzip", "gzip:6", "gzip:0", "zstd"}) {
    CAPTURE(kind);
    const auto [packed, plain, frames] = framed(kind, 40);
    CHECK(read_frames(frames, packed) == plain);
    CHECK(read_frames({}, packed) == plain);
    CHECK(message_of([&] { read_frames(frames, packed + "x"); }) == "'blob' is longer than its frames");
    CHECK(message_of([&] { read_frames(frames, packed.substr(0, packed.size() - 1)); }) ==
          "'blob' is shorter than its frames");
    auto wrong = frames;
    wrong[7].unpacked_bytes += 1;
    CHECK(message_of([&] { read_frames(wrong, packed); }).starts_with("'blob' is damaged: a "));
    wrong = frames;
    wrong[0].compressed_bytes = std::uint64_t{1} << 40;
    CHECK(message_of([&] { read_frames(wrong, packed); }) == "'blob' has a frame of more than 256 MiB");
    wrong = frames;
    wrong[7].compressed_bytes += 1;
    wrong[8].compressed_bytes -= 1;
    CHECK(message_of([&] { read_frames(wrong, packed); }).starts_with("'blob' is damaged: a "));
  }
  const auto [packed, plain, frames] = framed("gzip", 1);
  CHECK(read_frames(frames, packed) == plain);
}

TEST_CASE("a gzip layer of many members, as kiln once wrote, is read by its frames") {
  const std::string a = varied_bytes(300000, 1);
  const std::string b = varied_bytes(70000, 2);
  const std::string first = output_of({"gzip", "-nc"}, a);
  const std::string second = output_of({"gzip", "-nc"}, b);
  const std::vector<Frame> frames = {{first.size(), a.size()}, {second.size(), b.size()}};
  CHECK(read_frames(frames, first + second) == a + b);
  std::string wrong = first + second;
  wrong[first.size() - 8] ^= 1;
  CHECK(message_of([&] { read_frames(frames, wrong); }).starts_with("'blob' is damaged: a part of its gzip data"));
}

TEST_CASE("the checksum of a gzip stream is that of all its blocks, and it is looked at") {
  const auto [packed, plain, frames] = framed("gzip", 5);
  std::string wrong = packed;
  wrong[wrong.size() - 8] ^= 1;
  CHECK(message_of([&] { read_frames(frames, wrong); }) == "'blob' is damaged: its gzip checksum is wrong");
  CHECK(message_of([&] { inflate(wrong); }) == "'a blob' is damaged: no valid gzip data");
  CHECK(GzipChecksum().tail() == std::string("\x03\0\0\0\0\0\0\0\0\0", 10));
}

TEST_CASE("zeros behind a stream are passed over, anything else is not") {
  const std::string a = varied_bytes(50000, 7);
  for (const char* kind : {"gzip", "gzip:6", "zstd"}) {
    CAPTURE(kind);
    const std::string packed = compressed(a, Compression::parse_text(kind));
    for (const std::size_t step : {1, 1000, 1 << 20}) {
      CHECK(inflate(packed + std::string(5000, '\0'), step) == a);
      CHECK(message_of([&] { inflate(packed + std::string(5000, '\0') + "x", step); }) ==
            "'a blob' is damaged: something stands behind it");
    }
  }
}

TEST_CASE("a stream of frames can be dropped half-read") {
  ThreadPool pool(2);
  const Framed made = framed("gzip", 30);
  const auto stream = decompress_frames(source_of(made.packed), made.frames, pool, "blob");
  char buffer[100];
  CHECK(stream->read(buffer, sizeof buffer) == sizeof buffer);
}

TEST_CASE("kinds and levels are read from words, and wrong ones refused") {
  CHECK(Compression::parse("uncompressed").kind == CompressionKind::none);
  CHECK(Compression::parse("gzip", 2).str() == "gzip");
  CHECK(Compression::parse("zstd", 19).str() == "zstd:19");
  CHECK(Compression::parse_text("zstd:19") == Compression::parse("zstd", 19));
  CHECK(Compression::parse("zstd", 3) == Compression::parse("zstd"));
  CHECK_ERROR(Compression::parse("gzip", 13), Category::usage, "compression level 13 of gzip: expected 0 to 12");
  CHECK_ERROR(Compression::parse("zstd", 0), Category::usage, "compression level 0 of zstd: expected 1 to 22");
  CHECK_ERROR(Compression::parse("zstd", 23), Category::usage, "compression level 23 of zstd: expected 1 to 22");
  CHECK_ERROR(Compression::parse_text("zstd:x"), Category::usage, "compression 'zstd:x': expected KIND:LEVEL");
  CHECK(message_of([] { Compression::parse("gzop"); }) == "unknown compression 'gzop'; did you mean 'gzip'?");
}

TEST_CASE("media types tell the compression of OCI and docker layers") {
  CHECK(compression_of_media_type("application/vnd.oci.image.layer.v1.tar+zstd") == CompressionKind::zstd);
  CHECK(compression_of_media_type("application/vnd.docker.image.rootfs.diff.tar.gzip") == CompressionKind::gzip);
  CHECK(compression_of_media_type("application/vnd.oci.image.layer.v1.tar") == CompressionKind::none);
  CHECK_FALSE(compression_of_media_type("application/json").has_value());
  CHECK(Compression::parse("zstd").media_type() == "application/vnd.oci.image.layer.v1.tar+zstd");
}
