// A program's layer is found by the merged view; its first bytes are read from the layer's tar, which is read no
// further than to the last program that is wanted. Unpacking would answer too, at the price of a whole layer.

#include "builder/solve/machine_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/layer/layer_reader.hpp"

namespace kiln {

namespace {

constexpr std::size_t kHeadBytes = 256;  // of a script's first line the kernel reads as much
constexpr int kMaxInterpreters = 5;      // as the kernel: an interpreter may be a script
constexpr std::string_view kWellKnown[] = {"/bin/sh", "/bin/bash", "/usr/bin/env", "/usr/bin/python3",
                                           "/usr/local/bin/python3"};

struct Machine {
  unsigned number;  // e_machine
  std::string_view little;
  std::string_view big;
};
constexpr Machine kMachines[] = {
    {3, "386", ""},       {8, "mipsle", "mips"}, {20, "", "ppc"},   {21, "ppc64le", "ppc64"},
    {22, "", "s390x"},    {40, "arm", "armbe"},  {62, "amd64", ""}, {183, "arm64", "arm64be"},
    {243, "riscv64", ""}, {258, "loong64", ""},
};

std::string machine_name(unsigned number, bool is_big_endian, bool is_64_bit) {
  for (const Machine& machine : kMachines) {
    if (machine.number != number) continue;
    const std::string_view name = is_big_endian ? machine.big : machine.little;
    if (name.empty()) break;
    if (number == 8 && is_64_bit) return is_big_endian ? "mips64" : "mips64le";
    if (number == 243 && !is_64_bit) break;
    return std::string(name);
  }
  return fmt::format("ELF machine {}", number);
}

bool is_known_architecture(std::string_view architecture) {
  if (architecture == "mips64" || architecture == "mips64le") return true;
  return std::any_of(std::begin(kMachines), std::end(kMachines), [&](const Machine& machine) {
    return architecture == machine.little || architecture == machine.big;
  });
}

std::string join_from(std::string_view folder, std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  return fmt::format("{}/{}", folder.ends_with('/') ? folder.substr(0, folder.size() - 1) : folder, path);
}

// nullopt also for a path that cannot be followed: a program that is not there is found out where it is started.
std::optional<MergedView::Found> find_file(const MergedView& view, const std::string& path) {
  const auto resolved = view.resolve_if_possible(path, MergedView::FollowLast::yes);
  return resolved && resolved->found && !resolved->found->implied ? resolved->found : std::nullopt;
}

bool is_file(const MergedView& view, const std::string& path) {
  const auto found = find_file(view, path);
  return found && (found->entry->type == EntryType::file || found->entry->type == EntryType::hardlink);
}

bool is_blob_here(LayerAccess& access, const ImageLayer& layer) {
  return std::any_of(layer.value.blobs.begin(), layer.value.blobs.end(), [&](const LayerBlob& blob) {
    access.store().lease(blob.descriptor.digest);
    return access.store().has(blob.descriptor.digest);
  });
}

bool is_index_here(LayerAccess& access, const ImageLayer& layer) {
  if (is_blob_here(access, layer)) return true;
  if (!layer.value.index) return false;
  access.store().lease(layer.value.index->digest);
  return access.store().has(layer.value.index->digest);
}

// The layers from the top down to the first one that nothing is known of.
ImageLayers known_layers(LayerAccess& access, const ImageLayers& layers) {
  auto begin = layers.end();
  while (begin != layers.begin() && is_index_here(access, *std::prev(begin))) --begin;
  return {begin, layers.end()};
}

std::map<std::string, std::string> read_heads(LayerAccess& access, const ImageLayer& layer,
                                              std::set<std::string> wanted) {
  std::map<std::string, std::string> heads;
  const LayerBlob blob = still_there(access.blobs().local(layer));
  const auto index = still_there(access.indexes().of(layer));
  const auto tar = open_layer_tar(access.store(), access.pool(), blob.descriptor, index.get());
  TarReader reader(*tar, fmt::format("layer {}", blob.descriptor.digest.str()), Whiteouts::recognise);
  while (!wanted.empty()) {
    access.cancel().check();
    const FileEntry* entry = reader.next();
    if (!entry) break;
    const auto it = entry->type == EntryType::file ? wanted.find(entry->path) : wanted.end();
    if (it == wanted.end()) continue;
    std::string head(kHeadBytes, '\0');
    std::size_t size = 0;
    while (size < head.size()) {
      const std::size_t got = reader.read(head.data() + size, head.size() - size);
      if (got == 0) break;
      size += got;
    }
    head.resize(size);
    heads.emplace(*it, std::move(head));
    wanted.erase(it);
  }
  return heads;
}

// The first bytes of files of one layer, by path.
std::map<std::string, std::string> heads_in_layer(LayerAccess& access, const ImageLayer& layer,
                                                  const std::set<std::string>& wanted) {
  const oci::Digest& diff_id = layer.value.diff_id;
  std::map<std::string, std::string> heads;
  std::set<std::string> unknown;
  for (const std::string& path : wanted) {
    if (auto head = access.file_heads().find(diff_id, path)) {
      heads.emplace(path, std::move(*head));
    } else {
      unknown.insert(path);
    }
  }
  if (unknown.empty() || !is_blob_here(access, layer)) return heads;
  const auto read = read_heads(access, layer, unknown);
  for (const std::string& path : unknown) {
    const auto it = read.find(path);
    const std::string head = it == read.end() ? "" : it->second;
    access.file_heads().remember(diff_id, path, head);
    heads.emplace(path, head);
  }
  return heads;
}

// The first bytes of programs, by the name they were asked by.
std::map<std::string, std::string> heads_of(LayerAccess& access, const ImageLayers& layers, const MergedView& view,
                                            const std::set<std::string>& programs) {
  std::map<std::size_t, std::set<std::string>> wanted;
  std::map<std::string, MergedView::Found> places;
  for (const std::string& program : programs) {
    const auto found = find_file(view, program);
    const auto file = found ? view.file_behind(*found) : std::nullopt;
    if (!file || file->entry->type != EntryType::file) continue;
    places.emplace(program, *file);
    wanted[file->layer].insert(file->entry->path);
  }
  std::map<std::string, std::string> result;
  for (const auto& [number, paths] : wanted) {
    const auto heads = heads_in_layer(access, layers[number], paths);
    for (const auto& [program, place] : places) {
      if (place.layer != number) continue;
      if (const auto it = heads.find(place.entry->path); it != heads.end()) result[program] = it->second;
    }
  }
  return result;
}

// Of the command line that the image starts with; empty where it has none.
std::string first_word(const oci::ContainerConfig& config) {
  const auto& argv = config.entrypoint && !config.entrypoint->empty() ? config.entrypoint : config.cmd;
  return argv && !argv->empty() ? argv->front() : "";
}

std::set<std::string> first_programs(const MergedView& view, const oci::ContainerConfig& config) {
  std::set<std::string> programs = {find_program(view, config, first_word(config))};
  for (const std::string_view path : kWellKnown) programs.insert(find_program(view, config, path));
  programs.erase("");
  return programs;
}

// All that the answer depends on.
std::string verdict_text(LayerAccess& access, const oci::ImageConfig& image, const ImageLayers& known) {
  std::string text = fmt::format("kiln machine check 1\n{}\n", image.platform.str());
  const auto add = [&](std::string_view word) { text += fmt::format("{}:{}\n", word.size(), word); };
  add(first_word(image.config));
  add(image.config.working_dir);
  add(oci::env_value(image.config.env, "PATH").value_or(""));
  for (const ImageLayer& layer : known)
    text += fmt::format("{} {}\n", layer.value.diff_id.str(), is_blob_here(access, layer) ? "here" : "away");
  return text;
}

}  // namespace

std::optional<std::string> elf_machine(std::string_view head) {
  if (head.size() < 20 || !head.starts_with("\x7f"
                                            "ELF"))
    return std::nullopt;
  const bool is_big_endian = head[5] == 2;
  const auto half = [&](std::size_t at) {
    const auto first = static_cast<unsigned char>(head[at]);
    const auto second = static_cast<unsigned char>(head[at + 1]);
    return is_big_endian ? first * 256U + second : second * 256U + first;
  };
  constexpr unsigned kExecutable = 2;
  constexpr unsigned kShared = 3;  // also of position-independent programs
  if (half(16) != kExecutable && half(16) != kShared) return std::nullopt;
  return machine_name(half(18), is_big_endian, head[4] == 2);
}

bool runs_on(std::string_view machine, std::string_view architecture) {
  if (machine == architecture || !is_known_architecture(architecture)) return true;
  return machine == "386" && architecture == "amd64";
}

std::string find_program(const MergedView& view, const oci::ContainerConfig& config, std::string_view name) {
  if (name.empty()) return "";
  if (name.find('/') != std::string_view::npos) {
    const std::string path = join_from(config.working_dir, name);
    return is_file(view, path) ? path : "";
  }
  std::string folders(oci::env_value(config.env, "PATH").value_or(""));
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string path =
        join_from(config.working_dir, folders.substr(begin, end - begin)) + "/" + std::string(name);
    if (is_file(view, path)) return path;
    begin = end + 1;
  }
  return "";
}

std::vector<std::string> shebang_programs(std::string_view head) {
  if (!head.starts_with("#!")) return {};
  const std::string_view line = head.substr(2, std::min(head.find('\n'), head.size()) - 2);
  std::vector<std::string> words;
  for (std::size_t begin = line.find_first_not_of(" \t\r"); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(" \t\r", end);
  }
  if (words.empty()) return {};
  std::vector<std::string> programs = {words.front()};
  if (!words.front().ends_with("/env")) return programs;
  const auto named = std::find_if(words.begin() + 1, words.end(), [](const std::string& word) {
    return !word.starts_with('-') && word.find('=') == std::string::npos;
  });
  if (named != words.end()) programs.push_back(*named);
  return programs;
}

void check_machines(LayerAccess& access, const oci::ImageConfig& image, const ImageLayers& layers,
                    const std::optional<BaseOrigin>& base) {
  if (image.platform.os != "linux") return;
  const ImageLayers known = known_layers(access, layers);
  if (known.empty()) return;
  const std::string verdict = verdict_text(access, image, known);
  const oci::Digest remembered = oci::sha256_of(verdict);
  access.store().lease(remembered);
  if (access.store().has(remembered)) return;
  const MergedView view = still_there(access.view(known));
  std::set<std::string> programs = first_programs(view, image.config);
  for (int round = 0; round < kMaxInterpreters && !programs.empty(); ++round) {
    std::set<std::string> next;
    for (const auto& [program, head] : heads_of(access, known, view, programs)) {
      const auto machine = elf_machine(head);
      if (machine && !runs_on(*machine, image.platform.architecture)) {
        throw Error(
            Category::build,
            fmt::format("'{}': expected a program for {}, the image's platform, got one for {} (base image: {}); take "
                        "the program, or the base image, for {}",
                        program, image.platform.str(), *machine, base ? base->str() : "scratch", image.platform.str()));
      }
      for (const std::string& name : shebang_programs(head)) next.insert(find_program(view, image.config, name));
    }
    next.erase("");
    programs = std::move(next);
  }
  access.store().put(verdict, "text/plain", Durability::ephemeral);
}

}  // namespace kiln
