#include "registry/store/layer_facts.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "registry/store/remembered_layers.hpp"

namespace kiln {

namespace {

// "DIGEST NUMBER\n", or with a third word, "DIGEST NUMBER REST\n"; nullopt where there is no such file or it is
// damaged.
struct Fact {
  oci::Digest digest;
  std::uint64_t number = 0;
  std::string rest;
};
std::optional<Fact> read_fact(const fs::path& file, std::size_t words) {
  const auto text = read_note(file, 4096);
  if (!text) return std::nullopt;
  const auto parts = split(trim(*text), ' ');
  if (parts.size() != words || !oci::Digest::is_valid(parts[0]) || !parse_unsigned(parts[1])) return std::nullopt;
  return Fact{oci::Digest::parse(parts[0]), *parse_unsigned(parts[1]), words > 2 ? std::string(parts[2]) : ""};
}

}  // namespace

std::optional<oci::Descriptor> index_of_layer(const ContentStore& store, const oci::Digest& diff_id) {
  const auto fact = read_fact(store.home().indexes() / std::string(diff_id.hex()), 3);
  if (!fact) return std::nullopt;
  const oci::Descriptor index{fact->rest, fact->digest, fact->number, {}, {}, {}};
  if (store.size_of(index.digest) != index.size) return std::nullopt;
  return index;
}

void set_index_of_layer(const ContentStore& store, const oci::Digest& diff_id, const oci::Descriptor& index) {
  write_file_atomically(store.home().indexes() / std::string(diff_id.hex()),
                        fmt::format("{} {} {}\n", index.digest.str(), index.size, index.media_type),
                        Durability::ephemeral);
}

namespace {

constexpr std::string_view kShapeEnding = "-shape";

// A blob by the name of its fact among the forms, leased.
std::optional<oci::Descriptor> noted_form(ContentStore& store, const std::string& name) {
  const auto fact = read_fact(store.home().forms() / name, 2);
  if (!fact) return std::nullopt;
  store.lease(fact->digest);
  return oci::Descriptor{"", fact->digest, fact->number, {}, {}, {}};
}

// The same, if it is still here.
std::optional<oci::Descriptor> find_form(ContentStore& store, const std::string& name) {
  auto blob = noted_form(store, name);
  return blob && store.size_of(blob->digest) == blob->size ? std::move(blob) : std::nullopt;
}

void set_form(const ContentStore& store, const std::string& name, const oci::Descriptor& blob) {
  make_directories(store.home().forms());  // homes of before there were any
  write_file_atomically(store.home().forms() / name, fmt::format("{} {}\n", blob.digest.str(), blob.size),
                        Durability::ephemeral);
}

std::string name_of_form(const oci::Digest& diff_id, std::string_view form) {
  return fmt::format("{}-{}", diff_id.hex(), form);
}

std::string name_of_shape(std::string_view shape, std::string_view form) {
  return fmt::format("{}-{}{}", shape, form, kShapeEnding);
}

}  // namespace

std::optional<oci::Descriptor> form_of_layer(ContentStore& store, const oci::Digest& diff_id, std::string_view form) {
  auto blob = find_form(store, name_of_form(diff_id, form));
  const auto info = blob ? blob_info(store, blob->digest) : std::nullopt;
  return info && info->diff_id == diff_id ? std::move(blob) : std::nullopt;
}

void set_form_of_layer(const ContentStore& store, const oci::Digest& diff_id, std::string_view form,
                       const oci::Descriptor& blob) {
  set_form(store, name_of_form(diff_id, form), blob);
}

std::optional<oci::Descriptor> blob_of_shape(ContentStore& store, std::string_view shape, std::string_view form) {
  return find_form(store, name_of_shape(shape, form));
}

std::optional<oci::Descriptor> noted_blob_of_shape(ContentStore& store, std::string_view shape, std::string_view form) {
  return noted_form(store, name_of_shape(shape, form));
}

bool is_shape_fact(std::string_view name) { return name.ends_with(kShapeEnding); }

std::set<oci::Digest> remembered_blobs(const ContentStore& store) {
  std::set<oci::Digest> blobs;
  const fs::path folder = store.home().forms();
  if (!fs::is_directory(fs::symlink_status(folder))) return blobs;
  const UnixSeconds oldest = now_unix_seconds() - UnixSeconds{kRememberedDays} * 24 * 3600;
  for (const std::string& name : list_directory(folder)) {
    if (!is_shape_fact(name)) continue;
    struct stat info;
    if (::lstat((folder / name).c_str(), &info) != 0 || info.st_mtime < oldest) continue;
    const auto fact = read_fact(folder / name, 2);
    if (fact && !seen_places(store, fact->digest).empty()) blobs.insert(fact->digest);
  }
  return blobs;
}

void set_blob_of_shape(const ContentStore& store, std::string_view shape, std::string_view form,
                       const oci::Descriptor& blob) {
  set_form(store, name_of_shape(shape, form), blob);
}

std::optional<BlobInfo> blob_info(const ContentStore& store, const oci::Digest& blob) {
  const auto fact = read_fact(store.home().blob_info() / std::string(blob.hex()), 2);
  if (!fact) return std::nullopt;
  return BlobInfo{fact->digest, fact->number};
}

void set_blob_info(const ContentStore& store, const oci::Digest& blob, const BlobInfo& info) {
  write_file_atomically(store.home().blob_info() / std::string(blob.hex()),
                        fmt::format("{} {}\n", info.diff_id.str(), info.unpacked_bytes), Durability::ephemeral);
}

}  // namespace kiln
