#include "builder/report/contents.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "builder/report/waste.hpp"

namespace kiln {

namespace {

constexpr std::array<std::string_view, 13> kBuildFolders = {"usr/include",
                                                            "usr/lib/gcc",
                                                            "usr/libexec/gcc",
                                                            "usr/lib/git-core",
                                                            "usr/share/git-core",
                                                            "usr/share/aclocal",
                                                            "usr/share/autoconf",
                                                            "usr/share/libtool",
                                                            "usr/share/pkgconfig",
                                                            "usr/share/cmake",
                                                            "usr/share/gcc",
                                                            "usr/lib/python3/dist-packages/mercurial",
                                                            "usr/lib/python3/dist-packages/hgext"};
constexpr std::array<std::string_view, 15> kBuildSuffixes = {
    ".a", ".la", ".o", ".h", ".hh", ".hpp", ".hxx", ".cuh", ".inl", ".inc", ".tcc", ".pc", ".cmake", ".m4", ".pxd"};
// As the beginning of a program's name; a '$' says that it ends there.
constexpr std::array<std::string_view, 31> kBuildPrograms = {"gcc",
                                                             "g++",
                                                             "c++",
                                                             "cpp",
                                                             "cc$",
                                                             "c89",
                                                             "c99",
                                                             "clang",
                                                             "x86_64-linux-gnu-",
                                                             "aarch64-linux-gnu-",
                                                             "ld$",
                                                             "ld.",
                                                             "as$",
                                                             "ar$",
                                                             "nm$",
                                                             "objdump",
                                                             "objcopy",
                                                             "strip$",
                                                             "ranlib",
                                                             "readelf",
                                                             "make$",
                                                             "cmake",
                                                             "auto",
                                                             "libtool",
                                                             "m4$",
                                                             "git",
                                                             "hg$",
                                                             "svn",
                                                             "cuobjdump",
                                                             "nvdisasm",
                                                             "nvcc"};
constexpr std::array<std::string_view, 10> kBuildLibraries = {"libasan.",   "libtsan.",   "liblsan.", "libubsan.",
                                                              "libhwasan.", "libbfd-",    "libctf",   "libopcodes-",
                                                              "libsvn_",    "libgprofng."};
constexpr std::array<std::string_view, 5> kCompilers = {"gcc", "g++", "cc$", "clang", "nvcc"};

// Where packages and applications go; what is elsewhere is the system's.
constexpr std::array<std::string_view, 7> kOwnFolders = {"usr/local", "opt", "app", "root", "home", "srv", "data"};
constexpr std::array<std::string_view, 9> kSystemFolders = {"usr", "etc",   "var",   "bin", "sbin",
                                                            "lib", "lib32", "lib64", "boot"};

template <std::size_t size>
bool is_within_any(std::string_view path, const std::array<std::string_view, size>& folders) {
  return std::any_of(folders.begin(), folders.end(), [&](std::string_view folder) { return is_within(path, folder); });
}

template <std::size_t size>
bool is_named(std::string_view name, const std::array<std::string_view, size>& names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view known) {
    return known.ends_with('$') ? name == known.substr(0, known.size() - 1) : name.starts_with(known);
  });
}

bool is_in_program_folder(std::string_view path) {
  return base_name(parent_path(path)) == "bin" || base_name(parent_path(path)) == "sbin";
}

// "site-packages/torch/test/x", not "site-packages/pytest/x".
bool is_test_of_package(std::string_view path) {
  const std::size_t packages = path.find("/site-packages/");
  if (packages == std::string_view::npos) return false;
  const std::string_view inside = path.substr(packages + 14);
  return inside.find("/tests/") != std::string_view::npos || inside.find("/test/") != std::string_view::npos;
}

Content content_by_path(std::string_view path) {
  if (is_build_only(path)) return Content::build_tools;
  if (is_within_any(path, kOwnFolders)) return Content::packages;
  return is_within_any(path, kSystemFolders) ? Content::base : Content::packages;
}

Content content_of(const FileEntry& entry, const std::unordered_map<const FileEntry*, WasteKind>& wasted) {
  if (const auto found = wasted.find(&entry); found != wasted.end()) {
    switch (found->second) {
      case WasteKind::hidden:
      case WasteKind::doubled:
      case WasteKind::duplicate:
        return Content::duplicates;
      case WasteKind::cache:
        return Content::caches;
      case WasteKind::build:
        return Content::build_tools;
    }
  }
  return content_by_path(entry.path);
}

// A file in a tar: its header and its bytes in whole records.
std::uint64_t tar_bytes(const FileEntry& entry) {
  constexpr std::uint64_t kRecord = 512;
  const std::uint64_t size = entry.type == EntryType::file ? entry.size : 0;
  return kRecord + (size + kRecord - 1) / kRecord * kRecord;
}

ContentBytes layer_contents(const FileIndex& layer, const std::unordered_map<const FileEntry*, WasteKind>& wasted,
                            std::unordered_set<std::string>& known) {
  ContentBytes result;
  std::uint64_t sum = 0;
  std::vector<std::string> own;
  for (const FileEntry& entry : layer.entries()) {
    // Lists of the file's attributes and the end of the tar are what is left over.
    const std::uint64_t bytes = std::min(tar_bytes(entry), layer.unpacked_bytes() - sum);
    sum += bytes;
    const Content content = content_of(entry, wasted);
    result[content] += bytes;
    if (content != Content::packages || entry.type != EntryType::file || entry.size == 0 || entry.content.empty())
      continue;
    if (known.contains(entry.content.str())) {
      result.repeated += bytes;
    } else {
      own.push_back(entry.content.str());
    }
  }
  result[Content::packages] += layer.unpacked_bytes() - sum;
  known.insert(own.begin(), own.end());
  return result;
}

}  // namespace

std::string_view to_string(Content content) {
  switch (content) {
    case Content::base:
      return "base";
    case Content::build_tools:
      return "build_tools";
    case Content::caches:
      return "caches";
    case Content::duplicates:
      return "duplicates";
    case Content::packages:
      return "packages";
  }
  return {};
}

std::uint64_t ContentBytes::total() const { return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}); }

ContentBytes& ContentBytes::operator+=(const ContentBytes& other) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += other.bytes[i];
  repeated += other.repeated;
  return *this;
}

std::vector<std::optional<std::vector<ContentBytes>>> contents_of(
    const std::vector<std::vector<std::shared_ptr<const FileIndex>>>& images) {
  std::unordered_map<oci::Digest, ContentBytes> judged;
  std::unordered_set<std::string> known;
  std::vector<std::optional<std::vector<ContentBytes>>> result;
  for (const auto& layers : images) {
    result.emplace_back();
    if (std::any_of(layers.begin(), layers.end(), [](const auto& layer) { return layer == nullptr; })) continue;
    const bool is_new = std::any_of(layers.begin(), layers.end(),
                                    [&](const auto& layer) { return !judged.contains(layer->diff_id()); });
    std::unordered_map<const FileEntry*, WasteKind> wasted;
    if (is_new) {
      each_wasted_file(layers, [&](WasteKind kind, const FileEntry& entry) { wasted.emplace(&entry, kind); });
    }
    std::vector<ContentBytes>& contents = result.back().emplace();
    for (const auto& layer : layers) {
      const auto [found, first] = judged.try_emplace(layer->diff_id());
      if (first) found->second = layer_contents(*layer, wasted, known);
      contents.push_back(found->second);
    }
  }
  return result;
}

bool is_build_only(std::string_view path) {
  const std::string_view name = base_name(path);
  if (is_within_any(path, kBuildFolders) || is_test_of_package(path)) return true;
  if (std::any_of(kBuildSuffixes.begin(), kBuildSuffixes.end(),
                  [&](std::string_view suffix) { return name.ends_with(suffix); }))
    return true;
  if (is_in_program_folder(path)) return is_named(name, kBuildPrograms);
  return path.find("lib/") != std::string_view::npos && is_named(name, kBuildLibraries);
}

bool is_compiler(std::string_view path) { return is_in_program_folder(path) && is_named(base_name(path), kCompilers); }

}  // namespace kiln
