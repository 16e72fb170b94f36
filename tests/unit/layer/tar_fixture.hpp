#pragma once

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace kiln::test {

// Tar blocks by hand, so that they can say what no tar program would.
class RawTar {
 public:
  RawTar& add(char type, std::string_view name, std::string_view data = {}, std::string_view link = {},
              std::string_view size_field = {}) {
    std::array<char, 512> block{};
    put(block, 0, 100, name);
    put(block, 100, 8, std::exchange(mode_, "0000644"));
    put(block, 108, 8, std::exchange(uid_, "0000000"));
    put(block, 116, 8, std::exchange(gid_, "0000000"));
    char size[13];
    std::snprintf(size, sizeof size, "%011llo", static_cast<unsigned long long>(data.size()));
    put(block, 124, 12, size_field.empty() ? std::string_view(size) : size_field);
    put(block, 136, 12, std::exchange(mtime_, "00000000000"));
    block[156] = type;
    put(block, 157, 100, link);
    std::memcpy(block.data() + 257, "ustar\00000", 8);
    if (type == '3' || type == '4') {
      put(block, 329, 8, major_);
      put(block, 337, 8, minor_);
    }
    seal(block);
    bytes_.append(block.data(), block.size());
    bytes_ += data;
    bytes_.append((512 - data.size() % 512) % 512, '\0');
    return *this;
  }
  RawTar& folder(std::string_view name) { return add('5', name); }
  RawTar& file(std::string_view name, std::string_view data) { return add('0', name, data); }
  RawTar& symlink(std::string_view name, std::string_view target) { return add('2', name, {}, target); }
  RawTar& hardlink(std::string_view name, std::string_view target) { return add('1', name, {}, target); }
  // What the next entry's header says of mode and owner (octal), and its time.
  RawTar& header(std::string mode, std::string uid, std::string gid, std::string mtime) {
    mode_ = std::move(mode);
    uid_ = std::move(uid);
    gid_ = std::move(gid);
    mtime_ = std::move(mtime);
    return *this;
  }
  RawTar& device(std::string_view name, std::string major, std::string minor) {
    major_ = std::move(major);
    minor_ = std::move(minor);
    return add('3', name);
  }
  RawTar& pax(const std::string& key, std::string_view value) {
    std::string record;
    for (std::size_t length = key.size() + value.size() + 3;;) {
      record = std::to_string(length) + " " + key + "=" + std::string(value) + "\n";
      if (record.size() == length) break;
      length = record.size();
    }
    return add('x', "PaxHeaders/x", record);
  }
  RawTar& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  // Changes the header block that begins at `at` and corrects its checksum.
  RawTar& patch(std::size_t header_at, std::size_t field_at, std::string_view bytes) {
    bytes_.replace(header_at + field_at, bytes.size(), bytes);
    std::array<char, 512> block;
    std::memcpy(block.data(), bytes_.data() + header_at, block.size());
    seal(block);
    bytes_.replace(header_at, block.size(), std::string_view(block.data(), block.size()));
    return *this;
  }
  std::size_t size() const { return bytes_.size(); }
  std::string str() const { return bytes_ + std::string(1024, '\0'); }
  std::string without_end() const { return bytes_; }

 private:
  static void put(std::array<char, 512>& block, std::size_t at, std::size_t room, std::string_view text) {
    text.substr(0, room).copy(block.data() + at, room);
  }
  static void seal(std::array<char, 512>& block) {
    std::memset(block.data() + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    std::snprintf(block.data() + 148, 8, "%06o", sum);
    block[155] = ' ';
  }

  std::string bytes_;
  std::string mode_ = "0000644";
  std::string uid_ = "0000000";
  std::string gid_ = "0000000";
  std::string mtime_ = "00000000000";
  std::string major_ = "0000001";
  std::string minor_ = "0000003";
};

}  // namespace kiln::test
