#include "builder/packages/bytecode.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

std::string little(std::uint32_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string header(std::uint32_t magic, std::uint32_t flags, std::uint32_t time, std::uint32_t size) {
  return little(magic, 2) + "\r\n" + little(flags, 4) + little(time, 4) + little(size, 4);
}

constexpr std::uint32_t kMagicOf311 = 3495;
constexpr std::uint32_t kTime = 1700000000;
constexpr UnixSeconds kNewTime = 315532800;

std::optional<std::string> time_for(const std::string& of, SourceStamp source = {kTime, 100}) {
  const auto bytes = bytecode_time_for(of, source, kNewTime);
  return bytes ? std::optional(std::string(bytes->begin(), bytes->end())) : std::nullopt;
}

}  // namespace

TEST_CASE("bytecode in __pycache__ is of the source above it") {
  CHECK(source_of_bytecode("a/__pycache__/x.cpython-311.pyc") == "a/x.py");
  CHECK(source_of_bytecode("a/__pycache__/x.cpython-311.opt-1.pyc") == "a/x.py");
  CHECK(source_of_bytecode("__pycache__/x.pyc") == "x.py");
  CHECK(source_of_bytecode("a/x.pyc").empty());
  CHECK(source_of_bytecode("a/__pycache__/x.py").empty());
}

TEST_CASE("bytecode that fitted its source fits it again once the source has another time") {
  CHECK(time_for(header(kMagicOf311, 0, kTime, 100)) == little(315532800, 4));
  // Times and sizes are kept to 32 bits.
  CHECK(time_for(header(kMagicOf311, 0, kTime, 100), {kTime + (std::int64_t{1} << 32), 100}) == little(315532800, 4));
}

TEST_CASE("bytecode that did not fit its source does not come to fit it") {
  CHECK_FALSE(time_for(header(kMagicOf311, 0, kTime - 1, 100)));
  CHECK_FALSE(time_for(header(kMagicOf311, 0, kTime, 99)));
  const auto kept_apart = time_for(header(kMagicOf311, 0, 315532800, 100));
  REQUIRE(kept_apart);
  CHECK(*kept_apart != little(315532800, 4));
  CHECK_FALSE(time_for(header(kMagicOf311, 0, 315532800, 100), {kNewTime, 100}));
}

TEST_CASE("bytecode that goes by a hash, that of Python 2 and what is none stay as they are") {
  CHECK_FALSE(time_for(header(kMagicOf311, 1, kTime, 100)));
  CHECK_FALSE(time_for(header(kMagicOf311, 3, kTime, 100)));
  CHECK_FALSE(time_for(header(62211, 0, kTime, 100)));
  CHECK_FALSE(time_for(header(3379, 0, kTime, 100)));  // 3.6: no flags
  CHECK_FALSE(time_for(header(kMagicOf311, 0, kTime, 100).substr(0, 15)));
  CHECK_FALSE(time_for("#!/usr/bin/python and more"));
}
