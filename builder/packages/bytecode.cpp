#include "builder/packages/bytecode.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

#include "base/error.hpp"
#include "builder/layer/file_entry.hpp"

namespace kiln {

namespace {

// Magic numbers of Python 3.7 and later. Python 2 has larger ones, and a shorter header.
constexpr std::uint64_t kFirstMagic = 3390;
constexpr std::uint64_t kLastMagic = 19999;

constexpr std::uint64_t kHasHash = 1;
constexpr std::uint64_t kCheckSource = 2;
constexpr std::size_t kTimeOffset = 8;
constexpr std::size_t kSizeOffset = 12;

std::uint64_t little_endian(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[offset + i])} << (8 * i);
  return value;
}

// SipHash with a key of 64 bits and 64 bits of nought, as Python's source_hash() has it.
std::uint64_t sip_hash(unsigned compressing, unsigned finalising, std::uint64_t key, std::string_view text) {
  unsigned char secret[16] = {};
  for (std::size_t i = 0; i < 8; ++i) secret[i] = static_cast<unsigned char>(key >> (8 * i));
  std::size_t size = 8;
  const OSSL_PARAM words[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                              OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &compressing),
                              OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &finalising), OSSL_PARAM_END};
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> kind(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr),
                                                               &EVP_MAC_free);
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> hash(EVP_MAC_CTX_new(kind.get()), &EVP_MAC_CTX_free);
  char bytes[8];
  std::size_t written = 0;
  const bool is_done =
      hash != nullptr && EVP_MAC_init(hash.get(), secret, sizeof secret, words) == 1 &&
      EVP_MAC_update(hash.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1 &&
      EVP_MAC_final(hash.get(), reinterpret_cast<unsigned char*>(bytes), &written, sizeof bytes) == 1;
  if (!is_done || written != sizeof bytes) throw Error(Category::machine, "OpenSSL has no SipHash");
  return little_endian({bytes, sizeof bytes}, 0, sizeof bytes);
}

}  // namespace

std::string source_of_bytecode(std::string_view path) {
  const std::string_view folder = parent_path(path);
  const std::string_view name = base_name(path);
  if (!path.ends_with(".pyc") || base_name(folder) != "__pycache__") return {};
  return join_path(parent_path(folder), std::string(name.substr(0, name.find('.'))) + ".py");
}

BytecodeCheck bytecode_check(std::string_view header) {
  if (header.size() < kBytecodeHeaderBytes || header.substr(2, 2) != "\r\n") return BytecodeCheck::none;
  const std::uint64_t magic = little_endian(header, 0, 2);
  if (magic < kFirstMagic || magic > kLastMagic) return BytecodeCheck::none;
  switch (little_endian(header, kBytecodeStampOffset, 4)) {
    case 0:
      return BytecodeCheck::time;
    case kHasHash | kCheckSource:
      return BytecodeCheck::hash;
    default:
      return BytecodeCheck::none;
  }
}

bool bytecode_fits(std::string_view header, const SourceStamp& source) {
  return bytecode_check(header) == BytecodeCheck::time &&
         little_endian(header, kTimeOffset, 4) == static_cast<std::uint32_t>(source.mtime) &&
         little_endian(header, kSizeOffset, 4) == static_cast<std::uint32_t>(source.size);
}

bool bytecode_fits(std::string_view header, std::string_view source) {
  if (bytecode_check(header) != BytecodeCheck::hash) return false;
  const std::uint64_t key = little_endian(header, 0, 4);
  const std::uint64_t hash = little_endian(header, kTimeOffset, 8);
  return sip_hash(1, 3, key, source) == hash || sip_hash(2, 4, key, source) == hash;
}

BytecodeStamp stamp_by_time(const SourceStamp& source) {
  BytecodeStamp stamp{};
  const auto time = static_cast<std::uint32_t>(source.mtime);
  const auto size = static_cast<std::uint32_t>(source.size);
  for (std::size_t i = 0; i < 4; ++i) {
    stamp[kTimeOffset - kBytecodeStampOffset + i] = static_cast<char>(time >> (8 * i));
    stamp[kSizeOffset - kBytecodeStampOffset + i] = static_cast<char>(size >> (8 * i));
  }
  return stamp;
}

}  // namespace kiln
