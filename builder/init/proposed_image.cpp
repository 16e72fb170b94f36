#include "builder/init/proposed_image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/image_definition.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/text_file.hpp"
#include "builder/init/repository_walk.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::init {

namespace {

namespace df = dockerfile;

std::string from_root(const fs::path& root, const fs::path& path) {
  return path.lexically_relative(root).generic_string();
}

// Sources of COPY and ADD that a folder has to have: without variables, addresses and wildcards. "." is there anywhere.
std::vector<std::string> copied_paths(const df::Dockerfile& dockerfile) {
  std::vector<std::string> paths;
  for (const df::Stage& stage : dockerfile.stages) {
    for (const df::Instruction& instruction : stage.instructions) {
      for (const df::Read& read : df::reads_of(instruction)) {
        if (!read.is_of_context() || read.by != df::Read::By::transfer) continue;
        for (const std::string& path : read.paths) {
          const bool is_plain =
              path.find_first_of("$*?[") == std::string::npos && path.find("://") == std::string::npos;
          if (is_plain) paths.push_back(path);
        }
      }
    }
  }
  return paths;
}

bool holds_dockerfiles_only(const fs::path& folder) {
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const std::string name = entry.path().filename().string();
    if (!is_dockerfile_name(name) && !name.ends_with(".dockerignore")) return false;
  }
  return !failure;
}

class ImageList {
 public:
  ImageList(const fs::path& root, std::vector<std::string>& notes) : root_(root), notes_(notes) {}

  // What images/*/image.json say.
  void add_defined() {
    const fs::path folder = root_ / "images";
    std::error_code failure;
    if (!fs::is_directory(folder, failure)) return;
    for (const std::string& name : list_directory(folder)) {
      const fs::path file = folder / name / "image.json";
      if (!fs::exists(file, failure)) continue;
      ProposedImage image;
      image.name = name;
      image.is_defined = true;
      try {
        ImageDefinition definition = read_image_definition(file, {});
        image.name = definition.target.image;
        if (definition.target.baseline && definition.target.baseline->dockerfile)
          covered_.insert(*definition.target.baseline->dockerfile);
        image.target = std::move(definition.target);
      } catch (const Error& error) {
        notes_.push_back(error.message());
      }
      if (image.target.dockerfile) covered_.insert(*image.target.dockerfile);
      images.push_back(std::move(image));
    }
  }

  void add(const FoundBuild& build) {
    if (!build.target.dockerfile_inline && !is_usable(build)) return;
    ProposedImage* known = find(build);
    if (known == nullptr) {
      known = &images.emplace_back();
      known->target = build.target;
      if (build.target.dockerfile) covered_.insert(*build.target.dockerfile);
    }
    for (const std::string& text : build.tags) {
      if (auto tag = parse_known_tag(text)) known->tags.push_back(std::move(*tag));
    }
    if (std::find(known->origins.begin(), known->origins.end(), build.origin) == known->origins.end())
      known->origins.push_back(build.origin);
    if (!build.name.empty()) known->file_names.emplace_back(build.origin, build.name);
  }

  void cover(const fs::path& dockerfile) { covered_.insert(dockerfile); }

  void add_bare(const std::string& path) {
    const fs::path file = root_ / path;
    if (covered_.contains(file)) return;
    ProposedImage& image = images.emplace_back();
    image.target.dockerfile = file;
    image.target.context = guess_context(root_, file);
    image.context_is_guess = true;
  }

  std::vector<ProposedImage> images;

 private:
  bool is_usable(const FoundBuild& build) {
    const auto leave_out = [&](const std::string& reason) {
      notes_.push_back(fmt::format("'{}'{}: {}: left out", printable(build.origin),
                                   build.name.empty() ? "" : fmt::format(", '{}'", printable(build.name)), reason));
      return false;
    };
    std::error_code failure;
    const TargetSpec& target = build.target;
    if (!target.dockerfile || !target.context) return leave_out("it says no Dockerfile");
    if (!is_inside(*target.context, root_) || !is_inside(*target.dockerfile, root_)) {
      return leave_out(fmt::format("'{}' with the context '{}' is outside of this repository",
                                   printable(target.dockerfile->string()), printable(target.context->string())));
    }
    if (!fs::is_regular_file(*target.dockerfile, failure))
      return leave_out(fmt::format("there is no Dockerfile '{}'", printable(from_root(root_, *target.dockerfile))));
    if (!fs::is_directory(*target.context, failure))
      return leave_out(fmt::format("there is no folder '{}'", printable(from_root(root_, *target.context))));
    return true;
  }

  // The Dockerfile that a bake file says itself stands in the image's folder once the image is defined, where it may
  // have been changed since: then the name tells.
  bool has_dockerfile_of(const ProposedImage& image, const FoundBuild& build) const {
    const TargetSpec& known = image.target;
    if (!build.target.dockerfile_inline || !image.is_defined)
      return known.dockerfile == build.target.dockerfile && known.dockerfile_inline == build.target.dockerfile_inline;
    if (!known.dockerfile || known.dockerfile->parent_path() != known.definition.parent_path()) return false;
    const bool has_its_name =
        build.name == image.name || std::any_of(build.tags.begin(), build.tags.end(), [&](const std::string& text) {
          const auto tag = parse_known_tag(text);
          return tag && tag->repository.substr(tag->repository.rfind('/') + 1) == image.name;
        });
    if (has_its_name && known.context == build.target.context) return true;
    const auto text = df::read_text_file(*known.dockerfile, root_);
    return text && *text == *build.target.dockerfile_inline;
  }

  void note_other_version(const FoundBuild& build, const ProposedImage& image) {
    const std::string dockerfile =
        printable(image.target.dockerfile ? from_root(root_, *image.target.dockerfile) : build.name);
    if (std::find(image.origins.begin(), image.origins.end(), build.origin) != image.origins.end()) {
      add_note(fmt::format("'{}' builds '{}' several times: it is one image with what the first says; for another "
                           "version say 'kiln init service NAME --like IMAGE' and set its 'args'",
                           printable(build.origin), dockerfile),
               notes_);
      return;
    }
    notes_.push_back(
        fmt::format("'{}' builds '{}' with another context or other arguments than {}: those of the latter count",
                    printable(build.origin), dockerfile,
                    image.origins.empty() ? "images/" : "'" + printable(image.origins[0]) + "'"));
  }

  // The image that a build is another mention of. Within one file each build that differs is an image of its own;
  // another file that builds the same stage of the same Dockerfile means the same image.
  ProposedImage* find(const FoundBuild& build) {
    ProposedImage* nearest = nullptr;
    for (ProposedImage& image : images) {
      const TargetSpec& known = image.target;
      if (!has_dockerfile_of(image, build) || known.stage != build.target.stage) continue;
      if (known.args == build.target.args && known.context == build.target.context) return &image;
      const bool is_of_same_file = std::any_of(image.file_names.begin(), image.file_names.end(),
                                               [&](const auto& name) { return name.first == build.origin; });
      if (!is_of_same_file && nearest == nullptr) nearest = &image;
    }
    if (nearest != nullptr) note_other_version(build, *nearest);
    return nearest;
  }

  const fs::path& root_;
  std::vector<std::string>& notes_;
  std::set<fs::path> covered_;
};

// Reads the image's Dockerfile and finds what images it names. Error{usage} for one that cannot be built.
void read_dockerfile(const fs::path& root, ProposedImage& image) {
  TargetSpec probe = image.target;
  if (!probe.dockerfile && !probe.dockerfile_inline) return;
  probe.name = probe.image = "it";
  if (probe.dockerfile_inline) {
    probe.dockerfile_text = *probe.dockerfile_inline;
    probe.dockerfile_name = image.origins.empty() ? "inline" : image.origins[0];
  } else {
    const auto text = df::read_text_file(*probe.dockerfile, root);
    if (!text) throw Error(Category::usage, "it is no file");
    probe.dockerfile_text = *text;
    probe.dockerfile_name = printable(from_root(root, *probe.dockerfile));
  }
  for (auto& [name, value] : probe.contexts) {
    if (value.starts_with("target:")) value = "docker-image://scratch";
  }
  Plan plan = make_plan({probe}, FleetNames{});
  image.planned = std::move(plan.targets[0]);
  std::set<std::string> seen;
  const auto note = [&](const NameMeaning& meaning) {
    const auto* base = std::get_if<ImageBase>(&meaning);
    const bool is_given = base && std::any_of(probe.contexts.begin(), probe.contexts.end(), [&](const auto& context) {
                            return context.second == "docker-image://" + base->reference;
                          });
    if (base && !is_given && seen.insert(base->reference).second) image.references.push_back(base->reference);
  };
  for (const std::size_t stage : needed_stages(*image.planned)) {
    note(image.planned->bases[stage]);
    for (const df::Instruction& instruction : image.planned->dockerfile.stages[stage].instructions) {
      for (const std::string& name : df::names_read(instruction)) note(resolve_name(plan, *image.planned, name, stage));
    }
  }
  for (const std::string& reference : image.references) {
    oci::Reference::parse(reference);
    if (reference.starts_with("mcr.microsoft.com/windows")) throw Error(Category::usage, "it is an image for Windows");
  }
}

}  // namespace

fs::path guess_context(const fs::path& root, const fs::path& dockerfile) {
  const fs::path own = dockerfile.parent_path();
  std::vector<std::string> paths;
  try {
    const auto text = df::read_text_file(dockerfile, root);
    if (text) paths = copied_paths(df::parse_partially(*text, "Dockerfile").dockerfile);
  } catch (const Error&) {
    return own;  // what is wrong with it is told when it is read as an image
  }
  if (paths.empty()) return own;
  fs::path best = own;
  std::ptrdiff_t most = -1;
  for (fs::path folder = own; is_inside(folder, root); folder = folder.parent_path()) {
    std::error_code failure;
    const auto count = std::count_if(paths.begin(), paths.end(), [&](const std::string& path) {
      return fs::exists(folder / fs::path(path).relative_path(), failure);
    });
    // A folder of nothing but Dockerfiles is hardly what COPY means.
    const bool is_better = count > most || (count == most && best == own && holds_dockerfiles_only(own));
    if (is_better) {
      best = folder;
      most = count;
    }
    if (folder == root) break;
  }
  return best;
}

std::vector<ProposedImage> propose_images(const fs::path& root, const std::vector<std::string>& dockerfiles,
                                          const std::vector<FoundBuild>& builds,
                                          const std::vector<fs::path>& task_dockerfiles, const std::string& repository,
                                          std::vector<std::string>& notes) {
  ImageList list(root, notes);
  list.add_defined();
  for (const FoundBuild& build : builds) list.add(build);
  for (const fs::path& file : task_dockerfiles) list.cover(file);
  for (const std::string& path : dockerfiles) list.add_bare(path);

  std::vector<ProposedImage> images;
  for (ProposedImage& image : list.images) {
    try {
      read_dockerfile(root, image);
    } catch (const Error& error) {
      const std::string what = image.target.dockerfile ? from_root(root, *image.target.dockerfile) : image.name;
      notes.push_back(fmt::format("'{}' {}: {}", printable(what),
                                  image.is_defined ? "cannot be built as it is" : "is left out",
                                  printable(error.message())));
      if (!image.is_defined) continue;
    }
    images.push_back(std::move(image));
  }

  std::set<std::string> taken;
  std::vector<std::vector<std::string>> choices;
  for (const ProposedImage& image : images) {
    if (image.is_defined) {
      taken.insert(image.name);
      if (!image.target.definition.empty()) taken.insert(image.target.definition.parent_path().filename().string());
      continue;
    }
    const std::string called = image.file_names.empty() ? "" : image.file_names[0].second;
    const std::string dockerfile = image.target.dockerfile ? from_root(root, *image.target.dockerfile) : "Dockerfile";
    choices.push_back(name_choices({image.tags, called, image.target.stage, dockerfile, repository}));
  }
  const std::vector<std::string> names = assign_names(choices, taken);
  std::size_t next = 0;
  for (ProposedImage& image : images) {
    if (image.is_defined) continue;
    image.name = names[next];
    if (const std::string& wanted = choices[next][0]; wanted != image.name && image.target.dockerfile) {
      notes.push_back(fmt::format("'{}' is called '{}': '{}' would be the name of another image too",
                                  printable(from_root(root, *image.target.dockerfile)), image.name, wanted));
    }
    ++next;
  }
  return images;
}

}  // namespace kiln::init
