#include "builder/packages/bytecode.hpp"

#include "builder/layer/file_entry.hpp"

namespace kiln {

namespace {

// Magic numbers of Python 3.7 and later. Python 2 has larger ones, and a shorter header.
constexpr std::uint32_t kFirstMagic = 3390;
constexpr std::uint32_t kLastMagic = 19999;

std::uint32_t little_endian(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(bytes[offset + i])} << (8 * i);
  return value;
}

}  // namespace

std::string source_of_bytecode(std::string_view path) {
  const std::string_view folder = parent_path(path);
  const std::string_view name = base_name(path);
  if (!path.ends_with(".pyc") || base_name(folder) != "__pycache__") return {};
  return join_path(parent_path(folder), std::string(name.substr(0, name.find('.'))) + ".py");
}

std::optional<std::array<char, 4>> bytecode_time_for(std::string_view header, const SourceStamp& source,
                                                     UnixSeconds to) {
  if (header.size() < kBytecodeHeaderBytes || header.substr(2, 2) != "\r\n") return std::nullopt;
  const std::uint32_t magic = little_endian(header, 0, 2);
  const bool is_known = magic >= kFirstMagic && magic <= kLastMagic;
  const bool goes_by_time = little_endian(header, 4, 4) == 0;
  if (!is_known || !goes_by_time) return std::nullopt;
  const std::uint32_t time = little_endian(header, kBytecodeTimeOffset, 4);
  const auto new_time = static_cast<std::uint32_t>(to);
  const bool fits = time == static_cast<std::uint32_t>(source.mtime) &&
                    little_endian(header, 12, 4) == static_cast<std::uint32_t>(source.size);
  std::uint32_t wanted = time;
  if (fits) wanted = new_time;
  if (!fits && time == new_time) wanted = ~new_time;  // or it would fit by chance
  if (wanted == time) return std::nullopt;
  std::array<char, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(wanted >> (8 * i));
  return bytes;
}

}  // namespace kiln
