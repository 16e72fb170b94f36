#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/run_script.hpp"
#include "builder/dockerfile/shell_commands.hpp"

// kiln's rules about layers: what makes them big, and what makes them miss the cache. They go by rules of
// thumb on the commands of RUN, and so never fail a build.
namespace kiln::dockerfile {
namespace {

constexpr std::string_view kAptLists = "/var/lib/apt/lists";

struct Step {
  const Instruction* instruction = nullptr;
  const Run* run = nullptr;
  std::vector<ShellCommand> commands;
};

Step step_of(const Instruction& instruction) {
  Step out{&instruction, std::get_if<Run>(&instruction.body), {}};
  if (!out.run) return out;
  RunScript script = run_script(instruction);
  if (script.form == CommandForm::exec) {
    out.commands.push_back({std::move(script.words)});
  } else if (!script.words.empty()) {
    out.commands = shell_commands(script.words[0]);
  }
  return out;
}

// Whether a path is another one or lies below it.
bool covers(std::string_view folder, std::string_view path) {
  while (folder.size() > 1 && folder.back() == '/') folder.remove_suffix(1);
  return path.substr(0, folder.size()) == folder && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool mounts_over(const Run& run, std::string_view path) {
  return std::any_of(run.mounts.begin(), run.mounts.end(), [&](const WrittenMount& mount) {
    const std::string type = to_lower(mount.written("type"));
    return (type == to_string(MountType::cache) || type == to_string(MountType::tmpfs)) &&
           covers(mount.written("target"), path);
  });
}

bool updates_apt(const Step& step) {
  return std::any_of(step.commands.begin(), step.commands.end(), [](const ShellCommand& command) {
    return (command.is("apt-get") || command.is("apt")) && command.has("update");
  });
}

bool removes_apt_lists(const Step& step) {
  return std::any_of(step.commands.begin(), step.commands.end(), [](const ShellCommand& command) {
    if (!command.is("rm")) return false;
    const auto operands = command.operands();
    return std::any_of(operands.begin(), operands.end(), [](const std::string& path) {
      return path.substr(0, kAptLists.size()) == kAptLists || covers(path, kAptLists);
    });
  });
}

bool is_pip_install(const ShellCommand& command) {
  if (command.words.empty() || !command.has("install")) return false;
  const std::string& program = command.words[0];
  if (program.substr(0, 3) == "pip" && program.substr(0, 4) != "pipx" && program.substr(0, 4) != "pipe") return true;
  return program.substr(0, 6) == "python" && command.has("-m") && command.has("pip");
}

// Programs that fetch what an image depends on, or build for minutes.
bool is_heavy(const ShellCommand& command) {
  if (is_pip_install(command)) return true;
  struct Tool {
    std::string_view program;
    std::vector<std::string_view> verbs;  // none: any use
  };
  static const std::vector<Tool> tools = {{"apt-get", {"install", "upgrade", "dist-upgrade"}},
                                          {"apt", {"install", "upgrade"}},
                                          {"apk", {"add"}},
                                          {"dnf", {"install"}},
                                          {"yum", {"install"}},
                                          {"npm", {"install", "ci", "i"}},
                                          {"yarn", {"install"}},
                                          {"pnpm", {"install", "i"}},
                                          {"poetry", {"install"}},
                                          {"uv", {"sync", "pip"}},
                                          {"pipenv", {"install", "sync"}},
                                          {"conda", {"install", "create"}},
                                          {"mamba", {"install", "create"}},
                                          {"bundle", {"install"}},
                                          {"composer", {"install"}},
                                          {"go", {"mod", "build", "install"}},
                                          {"cargo", {"build", "fetch", "install"}},
                                          {"make", {}},
                                          {"cmake", {}},
                                          {"ninja", {}},
                                          {"mvn", {}},
                                          {"gradle", {}}};
  for (const Tool& tool : tools) {
    if (!command.is(tool.program)) continue;
    return tool.verbs.empty() ||
           std::any_of(tool.verbs.begin(), tool.verbs.end(), [&](std::string_view verb) { return command.has(verb); });
  }
  return false;
}

bool is_heavy(const Step& step) {
  return std::any_of(step.commands.begin(), step.commands.end(), [](const ShellCommand& c) { return is_heavy(c); });
}

void own_layer_chown(CheckContext& context, const Step& step) {
  if (!step.run || step.commands.empty() || !step.run->mounts.empty()) return;
  bool recursive = false;
  for (const ShellCommand& command : step.commands) {
    if (!command.is("chown") && !command.is("chmod") && !command.is("chgrp") && !command.is("set")) return;
    recursive = recursive || (!command.is("set") && command.has_option('R', "--recursive"));
  }
  if (!recursive) return;
  context.report(
      "ChownInOwnLayer",
      fmt::format("this '{}' stores every file it touches a second time; give owner and mode where the files "
                  "come from: COPY --chown=USER:GROUP --chmod=MODE, or the RUN that makes them",
                  step.commands.back().words[0]),
      *step.instruction);
}

void apt_lists(CheckContext& context, const Step& step) {
  if (!step.run || !updates_apt(step) || removes_apt_lists(step) || mounts_over(*step.run, kAptLists)) return;
  context.report(
      "AptListsLeftBehind",
      "apt's package lists stay in this layer; end the same RUN with 'rm -rf /var/lib/apt/lists/*', or mount "
      "--mount=type=cache,target=/var/lib/apt and --mount=type=cache,target=/var/cache/apt",
      *step.instruction);
}

void pip_cache(CheckContext& context, const Step& step, bool turned_off) {
  if (!step.run || turned_off) return;
  const bool mounted = std::any_of(step.run->mounts.begin(), step.run->mounts.end(), [](const WrittenMount& mount) {
    const bool is_pips = mount.text.find(".cache") != std::string::npos || mount.text.find("pip") != std::string::npos;
    return is_pips && to_lower(mount.written("type")) == to_string(MountType::cache);
  });
  if (mounted) return;
  for (const ShellCommand& command : step.commands) {
    if (!is_pip_install(command) || command.has("--no-cache-dir")) continue;
    context.report("PipCacheInLayer",
                   "pip's download cache stays in this layer; use RUN --mount=type=cache,target=/root/.cache/pip, or "
                   "pip install --no-cache-dir",
                   *step.instruction);
    return;
  }
}

// Where COPY and ADD of a stage have put things, with the line.
struct Written {
  std::string path;
  int line = 0;
};

void later_removal(CheckContext& context, const Step& step, const std::vector<Written>& written, int lists_line) {
  if (!step.run) return;
  const auto report = [&](std::string_view path, int line) {
    context.report(
        "RemovedInLaterLayer",
        fmt::format("'{}' came with line {} and stays in that layer; remove it in the step that brings it, or "
                    "do not bring it (.dockerignore, --exclude, --mount=type=bind)",
                    printable(path), line),
        *step.instruction);
  };
  for (const ShellCommand& command : step.commands) {
    if (!command.is("rm")) continue;
    for (const std::string& path : command.operands()) {
      if (path.empty() || path[0] != '/') continue;
      for (const Written& earlier : written) {
        if (covers(earlier.path, path) || covers(path, earlier.path)) report(path, earlier.line);
      }
    }
  }
  if (lists_line != 0 && removes_apt_lists(step) && !updates_apt(step)) report(kAptLists, lists_line);
}

void note_written(const Instruction& instruction, std::vector<Written>& written) {
  const Transfer* transfer = transfer_of(instruction);
  if (!transfer || transfer->destination.size() < 2 || transfer->destination[0] != '/') return;
  std::string path = transfer->destination;
  if (path.back() == '/' && transfer->paths.size() == 1 && transfer->paths[0] != ".") {
    const std::string& source = transfer->paths[0];
    path += source.substr(source.rfind('/') + 1);
  }
  written.push_back({path, instruction.lines.first});
}

bool copies_context(const Instruction& instruction) {
  if (!std::holds_alternative<Copy>(instruction.body)) return false;
  const std::vector<Read> reads = reads_of(instruction);
  return std::any_of(reads.begin(), reads.end(), [](const Read& read) {
    return read.is_of_context() && std::any_of(read.paths.begin(), read.paths.end(), [](const std::string& path) {
             return path == "." || path == "./" || path == "/";
           });
  });
}

// Dependencies that a manifest names, which is what a COPY of the manifest alone would do for.
bool installs_from_manifest(const ShellCommand& command) {
  if (is_pip_install(command)) return command.has("-r") || command.has("--requirement");
  if (command.is("apt-get") || command.is("apt") || command.is("apk") || command.is("dnf") || command.is("yum")) {
    return is_heavy(command);
  }
  if (command.is("go")) return command.has("mod");
  if (command.is("make") || command.is("cmake") || command.is("ninja")) return false;
  return is_heavy(command);
}

void copy_order(CheckContext& context, const Step& step, const Instruction*& context_copy) {
  if (copies_context(*step.instruction)) {
    if (!context_copy) context_copy = step.instruction;
    return;
  }
  if (!step.run || !context_copy) return;
  if (!std::any_of(step.commands.begin(), step.commands.end(), installs_from_manifest)) return;
  context.report("CopyBeforeDependencies",
                 fmt::format("every change of any file repeats the installation in line {}; copy the list of "
                             "dependencies alone, install, then copy the rest",
                             step.instruction->lines.first),
                 *context_copy);
  context_copy = nullptr;
}

bool mentions(const Instruction& instruction, const std::string& name) {
  if (instruction.original.find(name) != std::string::npos) return true;
  return std::any_of(instruction.heredocs.begin(), instruction.heredocs.end(),
                     [&](const Heredoc& heredoc) { return heredoc.content.find(name) != std::string::npos; });
}

void profile_args(CheckContext& context, const Step& step,
                  std::vector<std::pair<std::string, const Instruction*>>& open) {
  if (const auto* arg = std::get_if<Arg>(&step.instruction->body)) {
    for (const ArgDefinition& definition : arg->definitions) {
      if (context.options().profile_args.count(definition.name) != 0)
        open.emplace_back(definition.name, step.instruction);
    }
    return;
  }
  if (!step.run || !is_heavy(step)) return;
  for (auto it = open.begin(); it != open.end();) {
    if (mentions(*step.instruction, it->first)) {
      ++it;
      continue;
    }
    context.report("ProfileArgAboveHeavyRun",
                   fmt::format("'{}' differs from machine to machine and is in the environment of line {}, which "
                               "therefore runs once for each; move the ARG below it",
                               it->first, step.instruction->lines.first),
                   *it->second);
    it = open.erase(it);
  }
}

bool brings_cuda(const ShellCommand& command) {
  if (command.is("apt-get") || command.is("apt")) {
    return std::any_of(command.words.begin(), command.words.end(), [](const std::string& word) {
      return word.substr(0, 5) == "cuda-" || word.substr(0, 8) == "libcudnn" || word.substr(0, 9) == "libcublas" ||
             word == "nvidia-cuda-toolkit";
    });
  }
  return false;
}

// torch and its like depend on wheels that hold all of CUDA, unless they come from the index of CPU builds.
bool brings_cuda_wheels(const ShellCommand& command) {
  if (!is_pip_install(command) || command.has("--no-deps")) return false;
  return std::any_of(command.words.begin(), command.words.end(), [&](const std::string& word) {
    const std::string name = word.substr(0, word.find_first_of("=<>!~["));
    if (word.find("whl/cpu") != std::string::npos || word.find("+cpu") != std::string::npos) return false;
    const bool cpu_index = std::any_of(command.words.begin(), command.words.end(), [](const std::string& other) {
      return other.find("whl/cpu") != std::string::npos;
    });
    if (name == "torch" || name == "torchvision" || name == "torchaudio") {
      return !cpu_index && word.find("+cpu") == std::string::npos;
    }
    return name == "tensorflow" && word.find("and-cuda") != std::string::npos;
  });
}

void cuda(CheckContext& context, const Step& step, int& cuda_line) {
  if (!step.run) return;
  for (const ShellCommand& command : step.commands) {
    if (brings_cuda(command)) cuda_line = step.instruction->lines.first;
    if (cuda_line == 0 || !brings_cuda_wheels(command)) continue;
    context.report(
        "CudaLibrariesTwice",
        fmt::format("these wheels bring CUDA's libraries along, and line {} has brought them already; install "
                    "the wheels on a base without CUDA, or share one set of nvidia-* wheels",
                    cuda_line),
        *step.instruction);
    return;
  }
}

bool base_has_cuda(const StageView& view) {
  const StageView* root = &view;
  while (root->parent) root = root->parent;
  return to_lower(root->base).find("nvidia/cuda") != std::string::npos;
}

}  // namespace

void check_layers(CheckContext& context) {
  for (const StageView& view : context.stages()) {
    std::vector<Written> written;
    std::vector<std::pair<std::string, const Instruction*>> open_args;
    const Instruction* context_copy = nullptr;
    int lists_line = 0;
    int cuda_line = base_has_cuda(view) ? view.stage->lines.first : 0;
    bool pip_cache_off = false;
    for (const Instruction& instruction : view.stage->instructions) {
      const Step step = step_of(instruction);
      own_layer_chown(context, step);
      apt_lists(context, step);
      pip_cache(context, step, pip_cache_off);
      later_removal(context, step, written, lists_line);
      copy_order(context, step, context_copy);
      profile_args(context, step, open_args);
      cuda(context, step, cuda_line);
      note_written(instruction, written);
      if (step.run && updates_apt(step) && !removes_apt_lists(step)) lists_line = instruction.lines.first;
      if (const auto* env = std::get_if<Env>(&instruction.body)) {
        for (const KeyValue& pair : env->pairs) pip_cache_off = pip_cache_off || pair.key == "PIP_NO_CACHE_DIR";
      }
    }
  }
}

}  // namespace kiln::dockerfile
