#include "builder/layer/tar_header.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace kiln::tar {

namespace {

std::string_view field(const Block& block, std::size_t at, std::size_t size) { return {block.data() + at, size}; }

std::string text_field(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view bytes = field(block, at, size);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

bool has_right_checksum(const Block& block) {
  const auto stated = parse_number(field(block, 148, 8));
  if (!stated) return false;
  std::int64_t as_unsigned = 0;
  std::int64_t as_signed = 0;  // what some old tars computed
  for (std::size_t i = 0; i < kBlock; ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : block[i];
    as_unsigned += static_cast<unsigned char>(c);
    as_signed += static_cast<signed char>(c);
  }
  return *stated == as_unsigned || *stated == as_signed;
}

Header::Format format_of(const Block& block) {
  if (field(block, 257, 8) == std::string_view("ustar  \0", 8)) return Header::Format::gnu;
  if (field(block, 257, 6) != std::string_view("ustar\0", 6)) return Header::Format::v7;
  return field(block, 508, 4) == std::string_view("tar\0", 4) ? Header::Format::star : Header::Format::ustar;
}

}  // namespace

bool is_zero(const Block& block) noexcept {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; });
}

std::optional<std::int64_t> parse_number(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<unsigned char>(bytes.front());
  if (first & 0x80) {
    // Two's complement, big-endian, with the top bit as the mark.
    const bool negative = (first & 0x40) != 0;
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto byte = static_cast<unsigned char>(bytes[i]);
      if (i == 0) byte = static_cast<unsigned char>(negative ? byte | 0x80 : byte & 0x7f);
      const auto top = static_cast<unsigned char>(value >> 56);
      if (top != (negative ? 0xff : 0)) return std::nullopt;
      value = value << 8 | byte;
    }
    const auto result = static_cast<std::int64_t>(value);
    if ((result < 0) != negative) return std::nullopt;
    return result;
  }
  const auto begin = bytes.find_first_not_of(std::string_view(" \0", 2));
  if (begin == std::string_view::npos) return 0;
  bytes.remove_prefix(begin);
  bytes = bytes.substr(0, bytes.find_first_of(std::string_view(" \0", 2)));
  const auto value = parse_unsigned(bytes, 8);
  if (!value || *value > INT64_MAX) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<Header> parse_header(const Block& block) {
  if (!has_right_checksum(block)) return std::nullopt;
  Header header;
  header.format = format_of(block);
  header.type = block[156];
  header.name = text_field(block, 0, 100);
  header.link = text_field(block, 157, 100);
  const auto mode = parse_number(field(block, 100, 8));
  const auto uid = parse_number(field(block, 108, 8));
  const auto gid = parse_number(field(block, 116, 8));
  const auto size = parse_number(field(block, 124, 12));
  const auto mtime = parse_number(field(block, 136, 12));
  if (!mode || !uid || !gid || !size || !mtime) return std::nullopt;
  header.mode = static_cast<std::uint32_t>(*mode & 07777);
  header.uid = *uid;
  header.gid = *gid;
  header.size = *size;
  header.mtime = *mtime;
  if (header.format == Header::Format::v7) return header;
  if (header.type == '3' || header.type == '4') {
    const auto major = parse_number(field(block, 329, 8));
    const auto minor = parse_number(field(block, 337, 8));
    if (!major || !minor) return std::nullopt;
    header.device_major = *major;
    header.device_minor = *minor;
  }
  if (header.format != Header::Format::gnu) {
    const std::string prefix = text_field(block, 345, header.format == Header::Format::star ? 131 : 155);
    if (!prefix.empty()) header.name = prefix + "/" + header.name;
  }
  return header;
}

std::optional<PaxRecord> take_pax_record(std::string_view& text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto length = parse_unsigned(text.substr(0, space));
  if (!length || *length > text.size() || *length < space + 3 || text[*length - 1] != '\n') return std::nullopt;
  const std::string_view record = text.substr(space + 1, *length - space - 2);
  text.remove_prefix(*length);
  const auto equals = record.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  return PaxRecord{record.substr(0, equals), record.substr(equals + 1)};
}

bool parse_pax(std::string_view text, PaxRecords& records) {
  while (!text.empty()) {
    const auto record = take_pax_record(text);
    if (!record) return false;
    const auto& [key, value] = *record;
    if (key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes") {
      const auto number = parse_unsigned(value);
      const bool expects_offset = records.sparse.size() % 2 == 0;
      if (!number || expects_offset != (key == "GNU.sparse.offset")) return false;
      records.sparse.push_back(*number);
      records.has_sparse_pairs = true;
      continue;
    }
    records.values[std::string(key)] = value;
  }
  return true;
}

std::optional<std::int64_t> parse_pax_time(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto dot = text.find('.');
  const auto seconds = parse_unsigned(text.substr(0, dot));
  if (!seconds || *seconds > INT64_MAX - 1) return std::nullopt;
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  if (fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(*seconds);
  if (!negative) return whole;
  const bool has_rest = fraction.find_first_not_of('0') != std::string_view::npos;
  return -whole - (has_rest ? 1 : 0);
}

std::int64_t nearest_time(std::int64_t seconds) {
  constexpr std::int64_t kMost = std::int64_t{1} << 54;
  return std::clamp(seconds, -kMost, kMost);
}

bool parse_sparse_pairs(const Block& block, std::size_t at, std::size_t count, std::vector<Segment>& segments) {
  for (std::size_t i = 0; i < count; ++i) {
    if (block[at + i * 24] == '\0') return true;
    const auto offset = parse_number(field(block, at + i * 24, 12));
    const auto bytes = parse_number(field(block, at + i * 24 + 12, 12));
    if (!offset || !bytes || *offset < 0 || *bytes < 0) return false;
    segments.push_back({static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*bytes)});
  }
  return true;
}

}  // namespace kiln::tar
