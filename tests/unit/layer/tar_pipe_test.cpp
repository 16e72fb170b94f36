#include "builder/layer/tar_pipe.hpp"

#include <doctest/doctest.h>

#include <future>

#include "base/error.hpp"
#include "layer_fixture.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::test;

TEST_CASE("what goes into a pipe comes out of it, however it is cut") {
  const std::string text = varied_bytes(20 << 20, 3);
  TarPipe pipe(BufferOwner::unpacking);
  auto writer = std::async(std::launch::async, [&] {
    for (std::size_t at = 0, size = 1; at < text.size(); at += size, size = size * 3 % 700'001 + 1) {
      pipe.write(std::string_view(text).substr(at, size));
    }
    pipe.end();
  });
  CHECK(read_to_end(pipe, text.size(), "pipe") == text);
  CHECK(pipe.read(nullptr, 1) == 0);
  writer.get();
}

TEST_CASE("a writer that gives up is no end, and a reader that is gone holds nobody up") {
  TarPipe cut(BufferOwner::unpacking);
  cut.write("some");
  cut.fail(std::make_exception_ptr(Error(Category::cancelled, "given up")));
  char byte;
  CHECK_ERROR(cut.read(&byte, 1), Category::cancelled, "given up");

  TarPipe unread(BufferOwner::unpacking);
  auto writer = std::async(std::launch::async, [&] {
    unread.write(std::string(30 << 20, 'x'));
    unread.end();
  });
  CHECK(unread.read(&byte, 1) == 1);
  unread.close_reader();
  writer.get();
}
