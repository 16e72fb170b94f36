#include "builder/cli/words/known_values.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "builder/cli/commands/help_pages.hpp"
#include "builder/cli/words/definitions_source.hpp"
#include "builder/cli/words/published_images.hpp"
#include "registry/oci/reference.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

using Values = std::vector<std::string>;

// The fleet that the words before the one that is completed are about.
std::optional<Fleet> fleet_of(const AskedValue& asked) {
  DefinitionWords words;
  for (std::size_t i = 0; i + 1 < asked.words.size(); ++i) {
    if (asked.words[i] == "-f" || asked.words[i] == "--file") words.files.push_back(asked.words[i + 1]);
  }
  try {
    LoadFleetOptions options = find_definitions(words, CancelToken()).options;
    options.broken = BrokenImages::set_aside;
    return load_fleet(options);
  } catch (const Error&) {
    return std::nullopt;  // the command itself says what is wrong with it
  }
}

Values targets(const AskedValue& asked) {
  const auto fleet = fleet_of(asked);
  if (!fleet) return {};
  std::set<std::string> names;
  for (const TargetSpec& target : fleet->targets) names.insert(target.name);
  for (const auto& [name, members] : fleet->groups) names.insert(name);
  return {names.begin(), names.end()};
}

Values profiles(const AskedValue& asked) {
  const auto fleet = fleet_of(asked);
  Values names;
  if (!fleet) return names;
  for (const auto& [name, profile] : fleet->profiles) names.push_back(name);
  return names;
}

Values releases(const AskedValue& asked) {
  const auto fleet = fleet_of(asked);
  Values names;
  if (!fleet) return names;
  std::error_code error;
  for (fs::directory_iterator at(releases_folder(*fleet), error), end; !error && at != end; at.increment(error)) {
    // Other names are no releases, and a shell would read them as more than a word.
    const std::string name = at->path().stem().native();
    if (at->path().extension() == ".json" && oci::is_valid_tag(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Values stored_images(const AskedValue&) {
  Values names;
  try {
    const fs::path home = HomeLayout::default_root();
    if (!fs::is_directory(home)) return names;
    for (const NamedImage& image : named_images(ContentStore(HomeLayout::open(home)))) {
      if (!image.name.empty()) names.push_back(image.name);
    }
  } catch (const Error&) {
    return {};  // a store that cannot be read names nothing
  }
  return names;
}

Values topics(const AskedValue&) { return help_topics(); }
Values shells(const AskedValue&) { return {"bash", "fish", "zsh"}; }
Values schemas(const AskedValue&) { return {"fleet", "image", "profile"}; }

// By what a positional or flag is called in the help: a word has one meaning in all commands.
struct Meaning {
  const char* name;
  Values (*values)(const AskedValue&);
};
constexpr std::array kMeanings{
    Meaning{"TARGET", targets},    Meaning{"IMAGE", targets},       Meaning{"PROFILE", profiles},
    Meaning{"OTHER", profiles},    Meaning{"--profile", profiles},  Meaning{"RELEASE", releases},
    Meaning{"REF", stored_images}, Meaning{"SRC", stored_images},   Meaning{"A", stored_images},
    Meaning{"B", stored_images},   Meaning{"INDEX", stored_images}, Meaning{"SHELL", shells},
    Meaning{"SCHEMA", schemas},    Meaning{"TOPIC", topics},
};

}  // namespace

std::optional<Values> known_values(const AskedValue& asked) {
  // The names that `kiln push` gives at registries.
  if (asked.command == "push" && asked.name == "TARGET") return Values();
  for (const Meaning& meaning : kMeanings) {
    if (asked.name == meaning.name) return meaning.values(asked);
  }
  return std::nullopt;
}

}  // namespace kiln::cli
