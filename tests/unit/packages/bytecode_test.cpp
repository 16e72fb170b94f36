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
constexpr std::uint32_t kMagicOf310 = 3439;

// What Python's _imp.source_hash() says of this source, by 3.11 and by 3.10.
constexpr std::string_view kSource = "print('kiln')\n";
const std::string kHashOf311 = "\xbc\x8e\x26\xb6\xd1\x5b\x8a\xc1";
const std::string kHashOf310 = "\xb0\xbe\x8c\xaf\x38\xaf\x18\x6f";

std::string hashed(std::uint32_t magic, const std::string& hash) { return header(magic, 3, 0, 0).substr(0, 8) + hash; }

}  // namespace

TEST_CASE("bytecode in __pycache__ is of the source above it") {
  CHECK(source_of_bytecode("a/__pycache__/x.cpython-311.pyc") == "a/x.py");
  CHECK(source_of_bytecode("a/__pycache__/x.cpython-311.opt-1.pyc") == "a/x.py");
  CHECK(source_of_bytecode("__pycache__/x.pyc") == "x.py");
  CHECK(source_of_bytecode("a/x.pyc").empty());
  CHECK(source_of_bytecode("a/__pycache__/x.py").empty());
}

TEST_CASE("bytecode fits a source of the time and size that it was made of") {
  const std::string bytes = header(kMagicOf311, 0, kTime, 100);
  CHECK(bytecode_check(bytes) == BytecodeCheck::time);
  CHECK(bytecode_fits(bytes, SourceStamp{kTime, 100}));
  CHECK_FALSE(bytecode_fits(bytes, SourceStamp{kTime - 1, 100}));
  CHECK_FALSE(bytecode_fits(bytes, SourceStamp{kTime, 99}));
  // Times and sizes are kept to 32 bits.
  CHECK(bytecode_fits(bytes, SourceStamp{kTime + (std::int64_t{1} << 32), 100}));
}

TEST_CASE("bytecode that goes by a hash fits the text that it was made of, in Python 3.11 and before") {
  const std::string newer = hashed(kMagicOf311, kHashOf311), older = hashed(kMagicOf310, kHashOf310);
  CHECK(bytecode_check(newer) == BytecodeCheck::hash);
  CHECK(bytecode_fits(newer, kSource));
  CHECK(bytecode_fits(older, kSource));
  CHECK_FALSE(bytecode_fits(newer, "print('kilm')\n"));
  CHECK_FALSE(bytecode_fits(older, ""));
  CHECK_FALSE(bytecode_fits(hashed(kMagicOf310, kHashOf311), kSource));
  CHECK_FALSE(bytecode_fits(header(kMagicOf311, 0, kTime, 14), kSource));
}

TEST_CASE("bytecode with a stamp by time fits its source") {
  const BytecodeStamp stamp = stamp_by_time({kTime, 100});
  std::string bytes = hashed(kMagicOf311, kHashOf311);
  bytes.replace(kBytecodeStampOffset, stamp.size(), stamp.data(), stamp.size());
  CHECK(bytes == header(kMagicOf311, 0, kTime, 100));
}

TEST_CASE("bytecode that is not checked, that of other Pythons and what is none are told apart") {
  CHECK(bytecode_check(header(kMagicOf311, 1, kTime, 100)) == BytecodeCheck::none);
  CHECK(bytecode_check(header(kMagicOf311, 2, kTime, 100)) == BytecodeCheck::none);
  CHECK(bytecode_check(header(62211, 0, kTime, 100)) == BytecodeCheck::none);
  CHECK(bytecode_check(header(3379, 0, kTime, 100)) == BytecodeCheck::none);  // 3.6: no flags
  CHECK(bytecode_check(header(kMagicOf311, 0, kTime, 100).substr(0, 15)) == BytecodeCheck::none);
  CHECK(bytecode_check("#!/usr/bin/python and more") == BytecodeCheck::none);
}
