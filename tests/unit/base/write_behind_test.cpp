#include "base/write_behind.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <future>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

std::string piece_of(std::size_t number) { return std::string(kPiece, static_cast<char>('a' + number % 26)); }

}  // namespace

TEST_CASE("what several threads write in pieces is all there, whatever becomes of its pages") {
  const TempDir folder;
  for (const auto pages : {WriteBehind::Pages::keep, WriteBehind::Pages::recycle}) {
    const fs::path path = folder.path() / "file";
    constexpr std::size_t kPieces = 64;
    {
      WriteBehind behind(pages);
      const auto file =
          std::make_shared<const Fd>(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      std::vector<std::future<void>> writers;
      for (std::size_t first = 0; first < 4; ++first) {
        writers.push_back(std::async(std::launch::async, [&, first] {
          for (std::size_t i = first; i < kPieces; i += 4) behind.write(file, piece_of(i), i * kPiece, path.native());
        }));
      }
      for (auto& writer : writers) writer.get();
    }
    const std::string text = read_file(path);
    REQUIRE(text.size() == kPieces * kPiece);
    for (std::size_t i = 0; i < kPieces; ++i) CHECK(text.compare(i * kPiece, kPiece, piece_of(i)) == 0);
  }
}

TEST_CASE("a write that fails names the file") {
  WriteBehind behind(WriteBehind::Pages::keep);
  const auto full = std::make_shared<const Fd>(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  CHECK_ERROR(behind.write(full, "x", 0, "the disk"), Category::machine, doctest::Contains("the disk"));
}
