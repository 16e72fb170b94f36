#include "builder/definitions/bake/print_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/annotations.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/run_limit.hpp"
#include "builder/definitions/target_words.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::bake {

namespace {

constexpr std::string_view kWordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

bool is_word(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kWordCharacters) == std::string_view::npos;
}

// OS[(VERSION)][/ARCHITECTURE[/VARIANT]]; alone one of the systems and architectures there are.
void check_platform(std::string_view text) {
  if (to_lower(text) == "local") return;
  static constexpr std::string_view kSystems[] = {
      "aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios",     "js", "linux",
      "macos", "nacl",    "netbsd", "openbsd",   "plan9",   "solaris", "wasip1",  "windows", "zos"};
  const std::vector<std::string_view> parts = split(text, '/');
  std::string_view system = parts.empty() ? text : parts.front();
  if (const std::size_t version = system.find('('); version != std::string_view::npos && system.ends_with(')'))
    system = system.substr(0, version);
  const bool is_written_right = parts.size() <= 3 && is_word(system) &&
                                std::all_of(parts.begin() + (parts.empty() ? 0 : 1), parts.end(), is_word);
  if (!is_written_right) {
    throw hcl::ValueError(
        fmt::format("'{}' is no platform; expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64", printable(text)));
  }
  const bool is_system = std::find(std::begin(kSystems), std::end(kSystems), to_lower(system)) != std::end(kSystems);
  if (parts.size() < 2 && !is_system) oci::Platform::parse(text);
}

// buildx takes more platforms for some than are built for, so they are not read as kiln's.
void check_annotation(std::string_view text) {
  for (const AnnotationWords::Place& place : split_annotation(text).places) {
    parse_annotation_place(place.name, text);
    if (place.platform) check_platform(*place.platform);
  }
}

void check_size(std::string_view text) {
  if (!parse_memory_size(text))
    throw hcl::ValueError(fmt::format("'{}' is no size; expected one such as 64m", printable(text)));
}

void check_outputs(const hcl::Value& outputs) {
  int to_stdout = 0;
  for (const hcl::Value& output : outputs.items()) {
    const auto member = [&](const char* key) {
      const auto found = output.members().find(key);
      return found == output.members().end() ? std::string() : found->second.text();
    };
    const std::string type = member("type"), destination = member("dest"), tar = to_lower(member("tar"));
    const bool is_archive = type == "oci" || type == "docker";
    const bool is_unpacked = is_archive && (tar == "false" || tar == "0" || tar == "f");
    if (type == "local" || is_unpacked) {
      if (destination.empty()) throw hcl::ValueError(fmt::format("an output of the type '{}' needs a 'dest'", type));
      if (destination == "-")
        throw hcl::ValueError(fmt::format("an output of the type '{}' is a folder, not '-'", type));
    } else if (destination == "-" || (destination.empty() && (type == "tar" || type == "oci"))) {
      if (++to_stdout == 2) throw hcl::ValueError("only one output can go to standard output");
    }
  }
}

void check(std::string_view name, const hcl::Value& value) {
  if ((name == "context" || name == "dockerfile") && value.text() == "-")
    throw hcl::ValueError("a bake file cannot take it from standard input");
  if (name == "shm-size") check_size(value.text());
  if (name == "resources") {
    for (const auto& [key, limit] : value.members()) {
      const bool is_size = key == "memory" || (key == "memory-swap" && limit.text() != "-1");
      if (is_size) check_size(limit.text());
    }
  }
  if (name == "platforms") {
    for (const hcl::Value& item : value.items()) {
      for (const std::string_view platform : split(item.text(), ',')) check_platform(platform);
    }
  }
  if (name == "annotations") {
    for (const hcl::Value& item : value.items()) check_annotation(item.text());
  }
  if (name == "ulimits") {
    for (const hcl::Value& item : value.items()) parse_ulimit(item.text());
  }
  if (name == "output") check_outputs(value);
}

}  // namespace

void check_printed(const Definition& definition, const Selection& selection) {
  for (const auto& [name, values] : selection.targets) {
    for (const auto& [attribute, value] : values) {
      std::string mistake;
      try {
        check(attribute, value);
        continue;
      } catch (const hcl::ValueError& error) {
        mistake = error.what();
      } catch (const Error& error) {
        mistake = error.message();
      }
      hcl::fail(definition.place_of(name, attribute), fmt::format("target '{}': {}: {}", name, attribute, mistake));
    }
  }
}

}  // namespace kiln::bake
