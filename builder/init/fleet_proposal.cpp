#include "builder/init/fleet_proposal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/attributes.hpp"
#include "builder/definitions/embedded_schemas.hpp"
#include "builder/definitions/fleet_settings.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/profile_schema.hpp"
#include "builder/definitions/schema.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/text_file.hpp"
#include "builder/init/bake_builds.hpp"
#include "builder/init/command_builds.hpp"
#include "builder/init/git_remote.hpp"
#include "builder/init/repository_walk.hpp"
#include "builder/init/workflow_builds.hpp"

namespace kiln::init {

using nlohmann::ordered_json;

namespace {

// Compute capability of the profile for a GPU: that of many cards, which one has to make one's own.
constexpr const char* kGuessedCudaArch = "8.6";

struct RegistryGuess {
  std::string registry;
  std::string image_namespace;
  std::string reason;

  std::string text() const { return image_namespace.empty() ? registry : registry + "/" + image_namespace; }
};

// The registry and namespace that most tags of the images have.
RegistryGuess guess_registry(const std::vector<ProposedImage>& images, const std::optional<GitRemote>& remote) {
  std::map<std::string, std::size_t> counts;
  for (const ProposedImage& image : images) {
    for (const KnownTag& tag : image.tags) {
      const std::string place = tag.repository.substr(0, tag.repository.rfind('/'));
      if (!tag.is_suffix && place != "docker.io/library") ++counts[place];
    }
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != counts.end()) {
    const std::size_t slash = most->first.find('/');
    RegistryGuess guess{most->first.substr(0, slash), "", "as the tags of this repository say"};
    if (slash != std::string::npos) guess.image_namespace = most->first.substr(slash + 1);
    return guess;
  }
  if (remote && remote->host == "github.com") {
    return {"ghcr.io", remote->path.substr(0, remote->path.find('/')),
            "a guess from the remote 'origin' of git; no file says a registry"};
  }
  return {"localhost:5000", "", "no file says a registry: set \"registry\" and \"namespace\" before you push"};
}

struct Profiles {
  std::string folder;  // relative to the repository
  std::map<std::string, Profile> known;
};

bool is_profile_folder(const fs::path& folder, std::map<std::string, Profile>& profiles) {
  std::error_code failure;
  if (!fs::exists(fs::symlink_status(folder, failure))) return true;
  if (!fs::is_directory(fs::symlink_status(folder, failure))) return false;
  try {
    const auto text = read_file_if_exists(folder / "schema.json", std::uint64_t{4} << 20);
    profiles = text ? load_profiles(folder, extended_profile_schema(*text, folder / "schema.json"))
                    : load_profiles(folder, profile_schema());
    return true;
  } catch (const Error&) {
    return false;
  }
}

class Proposer {
 public:
  Proposer(const fs::path& root, const BuildRecordStore& records) : records_(records) {
    files_ = walk_repository(root);
    proposal_.root = files_.root;
    proposal_.notes = files_.notes;
  }

  FleetProposal run() {
    const std::optional<GitRemote> remote = git_remote_of(files_.root);
    const std::string repository =
        remote ? remote->path.substr(remote->path.rfind('/') + 1) : files_.root.filename().string();
    find_images(remote ? remote->path : "", repository);
    read_settings(remote);
    find_edges(proposal_.images, proposal_.registry, proposal_.notes);
    std::sort(proposal_.images.begin(), proposal_.images.end(),
              [](const ProposedImage& a, const ProposedImage& b) { return a.name < b.name; });
    proposal_.common_bases = common_bases(proposal_.images, records_);
    note_names_of_today();
    note_own_files_in_contexts();
    write_files();
    return std::move(proposal_);
  }

 private:
  void find_images(const std::string& remote_path, const std::string& repository) {
    std::vector<FoundBuild> builds;
    std::vector<fs::path> tasks;
    for (FoundBuilds& found :
         std::vector<FoundBuilds>{bake_builds(files_), workflow_builds(files_, remote_path), script_builds(files_)}) {
      builds.insert(builds.end(), found.builds.begin(), found.builds.end());
      tasks.insert(tasks.end(), found.task_dockerfiles.begin(), found.task_dockerfiles.end());
      proposal_.notes.insert(proposal_.notes.end(), found.notes.begin(), found.notes.end());
    }
    proposal_.dockerfiles = files_.dockerfiles.size();
    proposal_.images = propose_images(files_.root, files_.dockerfiles, builds, tasks, repository, proposal_.notes);
    if (!proposal_.images.empty()) return;
    for (const fs::path& file : tasks) {
      add_note(fmt::format("'{}' is for a task that makes no image", printable(relative(file, files_.root))),
               proposal_.notes);
    }
  }

  // A fleet.json that is there decides.
  void read_settings(const std::optional<GitRemote>& remote) {
    const fs::path file = files_.root / "images" / "fleet.json";
    profiles_.folder = "profiles";
    if (fs::exists(file)) {
      const JsonSource source = JsonSource::read(file);
      const FleetSettings settings = read_fleet_settings(source, source.parse(fleet_schema()));
      proposal_.registry = settings.registry_and_namespace();
      proposal_.registry_reason = "as images/fleet.json says";
      profiles_.folder = settings.profiles_folder.lexically_relative(files_.root).generic_string();
      is_profile_folder(settings.profiles_folder, profiles_.known);
      has_fleet_file_ = true;
      return;
    }
    guess_ = guess_registry(proposal_.images, remote);
    proposal_.registry = guess_.text();
    proposal_.registry_reason = guess_.reason;
    if (!is_profile_folder(files_.root / "profiles", profiles_.known)) {
      proposal_.notes.push_back(
          "'profiles' holds something else than profiles of kiln, so these go to images/profiles");
      profiles_.folder = "images/profiles";
      is_profile_folder(files_.root / profiles_.folder, profiles_.known);
    }
  }

  void note_names_of_today() {
    for (const ProposedImage& image : proposal_.images) {
      const std::string name = proposal_.registry + "/" + image.name;
      std::vector<std::string> others;
      for (const KnownTag& tag : image.tags) {
        if (!tag.is_suffix && !tag.repository.starts_with("docker.io/library/")) others.push_back(tag.repository);
      }
      if (others.empty() || std::find(others.begin(), others.end(), name) != others.end()) continue;
      proposal_.notes.push_back(
          fmt::format("'{}' is called '{}' today and would be pushed as '{}'", image.name, others[0], name));
    }
  }

  // What init writes must not become part of an image unseen.
  void note_own_files_in_contexts() {
    std::vector<std::string> names;
    for (const ProposedImage& image : proposal_.images) {
      if (image.is_defined || !image.planned || image.target.context != files_.root) continue;
      if (copies_everything(image)) names.push_back(image.name);
    }
    if (names.empty()) return;
    proposal_.notes.push_back(
        fmt::format("COPY takes all of the repository's folder in {}: add 'images' and 'profiles' to .dockerignore, so "
                    "that a change of the fleet does not change these images",
                    join(names, ", ")));
  }

  static bool copies_everything(const ProposedImage& image) {
    if (const auto ignore = dockerfile::read_ignore_file_of(image.target.dockerfile, image.target.context)) {
      try {
        if (dockerfile::read_ignore_rules(ignore->text, ignore->name).ignores("images/fleet.json")) return false;
      } catch (const Error&) {
        return false;  // a broken ignore file fails the build by its name
      }
    }
    for (const std::size_t stage : needed_stages(*image.planned)) {
      for (const dockerfile::Instruction& instruction : image.planned->dockerfile.stages[stage].instructions) {
        for (const dockerfile::Read& read : dockerfile::reads_of(instruction)) {
          const bool is_all = std::any_of(read.paths.begin(), read.paths.end(), [](const std::string& path) {
            return path == "." || path == "./" || path == "/" || path == "*";
          });
          if (read.is_of_context() && is_all) return true;
        }
      }
    }
    return false;
  }

  // A name of a profile for GPUs with which no target gets the name of an image.
  std::string name_gpu_profile() const {
    for (const auto& [name, profile] : profiles_.known) {
      if (profile.values.contains("CUDA_ARCH")) return name;
    }
    for (const std::string name : {"gpu", "cuda", "nvidia"}) {
      const bool is_free = std::none_of(proposal_.images.begin(), proposal_.images.end(), [&](const auto& image) {
        return image.name.ends_with("-" + name) || image.name == name;
      });
      if (is_free && !profiles_.known.contains(name)) return name;
    }
    return "gpu-machine";
  }

  void write_files() {
    const auto add = [&](std::string path, std::string text) {
      proposal_.files.push_back({std::move(path), std::move(text)});
    };
    add("images/schema/fleet.schema.json", std::string(embedded::fleet_schema_text()));
    add("images/schema/image.schema.json", std::string(embedded::image_schema_text()));
    const bool needs_gpu = std::any_of(proposal_.images.begin(), proposal_.images.end(), [](const auto& image) {
      return image.is_gpu && !image.has_children && !image.is_defined;
    });
    // What a fleet that is there says of profiles is left to it.
    if (!has_fleet_file_) {
      add(profiles_.folder + "/schema.json", std::string(embedded::profile_schema_text()));
      add(profiles_.folder + "/cpu.json",
          readable_json({{"$schema", "schema.json"},
                         {"description",
                          "A machine without a GPU. Images are baked for it where \"profiles\" of fleet.json or "
                          "image.json name it."}}));
    }
    if (needs_gpu) {
      proposal_.gpu_profile = name_gpu_profile();
      if (!profiles_.known.contains(proposal_.gpu_profile)) {
        add(fmt::format("{}/{}.json", profiles_.folder, proposal_.gpu_profile),
            readable_json({{"$schema", "schema.json"},
                           {"description",
                            "A machine with a GPU. CUDA_ARCH is its compute capability: a guess, make it "
                            "that of your GPU."},
                           {"CUDA_ARCH", kGuessedCudaArch}}));
        proposal_.notes.push_back(
            fmt::format("CUDA_ARCH {} of {}/{}.json is a guess: make it your GPU's compute "
                        "capability",
                        kGuessedCudaArch, profiles_.folder, proposal_.gpu_profile));
      }
    }
    for (const ProposedImage& image : proposal_.images) {
      if (image.is_defined) continue;
      const fs::path folder = files_.root / "images" / image.name;
      if (image.target.dockerfile_inline) add("images/" + image.name + "/Dockerfile", *image.target.dockerfile_inline);
      add(fmt::format("images/{}/image.json", image.name), readable_json(definition_of(image, folder)));
    }
    if (!has_fleet_file_) add("images/fleet.json", readable_json(fleet_file()));
  }

  ordered_json fleet_file() const {
    ordered_json fleet = {{"$schema", "schema/fleet.schema.json"}, {"registry", guess_.registry}};
    if (!guess_.image_namespace.empty()) fleet["namespace"] = guess_.image_namespace;
    fleet["repository"] = "{image}";
    fleet["tags"] = {"{date}-{git}", "latest"};
    if (profiles_.folder != "profiles") fleet["profiles_folder"] = "profiles";
    return fleet;
  }

  static std::string relative(const fs::path& path, const fs::path& folder) {
    return path.lexically_relative(folder).generic_string();
  }

  // What an image definition says as a bake file does. Where the image goes is for the fleet to say, and its contexts
  // are those that are no images of the fleet.
  static void add_attributes(const TargetSpec& target, const fs::path& folder, ordered_json& json) {
    for (const bake::Attribute& row : bake::attributes()) {
      if (row.definition_key.empty() || row.name == "output" || row.name == "contexts") continue;
      const auto value = row.value_of(target, folder);
      if (value) json[std::string(row.definition_key)] = ordered_json::parse(hcl::to_json_text(*value));
    }
  }

  ordered_json definition_of(const ProposedImage& image, const fs::path& folder) const {
    const TargetSpec& target = image.target;
    ordered_json json = {{"$schema", "../schema/image.schema.json"}};
    if (!target.description.empty()) json["description"] = target.description;
    json["kind"] = image.has_children ? "base" : "service";
    if (image.is_gpu) json["device"] = "gpu";
    if (target.dockerfile) json["dockerfile"] = relative(*target.dockerfile, folder);
    if (target.context && *target.context != folder) json["context"] = relative(*target.context, folder);
    for (const auto& [name, value] : image.contexts)
      json["contexts"][name] = value.starts_with('/') ? relative(value, folder) : value;
    if (image.is_gpu && !image.has_children) json["profiles"] = {proposal_.gpu_profile};
    for (const oci::Platform& platform : target.platforms) json["platforms"].push_back(platform.str());
    add_attributes(target, folder, json);
    for (const SecretSource& secret : target.secrets) {
      ordered_json item = {{"id", secret.id}};
      if (secret.file) item["file"] = relative(*secret.file, folder);
      if (secret.environment) item["env"] = *secret.environment;
      json["secrets"].push_back(std::move(item));
    }
    if (target.dockerfile) json["baseline"] = {{"dockerfile", relative(*target.dockerfile, folder)}};
    return json;
  }

  const BuildRecordStore& records_;
  RepositoryFiles files_;
  FleetProposal proposal_;
  RegistryGuess guess_;
  Profiles profiles_;
  bool has_fleet_file_ = false;
};

}  // namespace

FleetProposal propose_fleet(const fs::path& root, const BuildRecordStore& records) {
  return Proposer(root, records).run();
}

}  // namespace kiln::init
