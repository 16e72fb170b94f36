#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/build_session.hpp"
#include "builder/cli/check_dockerfile.hpp"
#include "builder/cli/commands.hpp"
#include "builder/cli/dockerfile_input.hpp"
#include "builder/cli/metadata.hpp"
#include "builder/cli/print_input.hpp"
#include "builder/cli/words.hpp"
#include "builder/solve/exporter.hpp"

namespace kiln::cli {

namespace {

// The words of `kiln build`, as docker buildx build has them.
struct BuildWords {
  std::string context;
  std::optional<std::string> file;
  std::vector<std::string> tags;
  std::string target;
  std::vector<std::string> build_args;
  std::vector<std::string> build_contexts;
  std::vector<std::string> secrets;
  std::vector<std::string> ssh;
  std::vector<std::string> labels;
  std::vector<std::string> annotations;
  std::vector<std::string> platforms;
  std::string network;
  std::string ca_bundle;
  bool no_cache = false;
  std::vector<std::string> no_cache_filter;
  bool pull = false;
  bool push = false;
  std::vector<std::string> outputs;
  std::optional<std::string> iidfile;
  std::optional<std::string> metadata_file;
  std::optional<std::string> progress;
  std::optional<std::string> report;
  bool quiet = false;
  std::vector<std::string> add_hosts;
  std::vector<std::string> ulimits;
  std::string shm_size;
  bool check = false;
  bool print_ast = false;
  bool print_ignored = false;
};

std::string context_value(const std::string& value) {
  // A folder is resolved here, against the folder kiln was started in.
  if (value.find("://") != std::string::npos || value.starts_with("target:")) return value;
  return fs::absolute(value).native();
}

BuildTarget make_target(const BuildWords& words) {
  BuildTarget target;
  const DockerfileInput input = read_dockerfile_input(words.file, words.context);
  target.context = fs::absolute(words.context);
  target.dockerfile_text = input.text;
  target.dockerfile_name = input.name;
  target.ignore_text = input.ignore_text;
  target.stage = words.target;
  target.args = parse_build_args(words.build_args);
  for (const auto& [name, value] : parse_pairs(words.build_contexts, "--build-context")) target.contexts[name] = context_value(value);
  target.labels = parse_pairs(words.labels, "--label");
  if (words.platforms.size() > 1 || (words.platforms.size() == 1 && words.platforms[0].find(',') != std::string::npos)) {
    throw Error(Category::usage, "--platform: one platform at a time; build each and join them with 'kiln index create'");
  }
  if (!words.platforms.empty()) target.platform = oci::Platform::parse(words.platforms[0]);
  target.no_cache = words.no_cache;
  for (const std::string& filter : words.no_cache_filter) {
    for (const std::string_view stage : split(filter, ',')) target.no_cache_stages.emplace_back(stage);
  }
  target.network = words.network;
  for (const std::string& secret : words.secrets) target.secrets.push_back(parse_secret(secret));
  for (const std::string& ssh : words.ssh) target.ssh.push_back(parse_ssh(ssh));
  for (const std::string& tag : words.tags) target.names.push_back(oci::Reference::parse(tag).str());
  return target;
}

std::vector<Output> make_outputs(const BuildWords& words) {
  std::vector<Output> outputs;
  for (const std::string& text : words.outputs) outputs.push_back(parse_output(text));
  if (outputs.empty()) outputs.push_back(Output{});
  if (words.push) {
    const bool has_image = std::any_of(outputs.begin(), outputs.end(), [](const Output& output) { return output.type == OutputType::image; });
    if (!has_image) outputs.push_back(Output{});
    for (Output& output : outputs) {
      if (output.type == OutputType::image) output.push = true;
    }
  }
  return outputs;
}

SessionSettings make_settings(const BuildWords& words, const BuildTarget& target, const std::vector<Output>& outputs) {
  SessionSettings settings;
  settings.progress = words.progress;
  settings.quiet = words.quiet;
  settings.times.epoch = source_date_epoch(target.args);
  settings.bases.pull = words.pull;
  settings.bases.use_cache = !words.no_cache;
  settings.runs.trust = find_build_trust(words.ca_bundle);
  settings.runs.host_proxies = host_proxies(environment_variable);
  for (const std::string& host : words.add_hosts) settings.runs.extra_hosts.push_back(parse_host(host));
  for (const std::string& limit : words.ulimits) settings.runs.limits.push_back(parse_ulimit(limit));
  if (!words.shm_size.empty()) settings.runs.shm_bytes = parse_size(words.shm_size, "--shm-size");
  const bool rewrite = std::any_of(outputs.begin(), outputs.end(), [](const Output& output) { return output.rewrite_timestamp; });
  if (rewrite) settings.runs.rewrite_times = settings.times.epoch.value_or(kReproducibleEpoch);
  return settings;
}

AssemblyOptions assembly_options(const BuildWords& words, const BuildTarget& target, const Output& output, const TimePolicy& times) {
  AssemblyOptions options;
  options.compression = output.compression.value_or(target.compression);
  options.force_compression = output.force_compression;
  options.oci_media_types = output.oci_media_types;
  options.created = times.epoch.value_or(now_unix_seconds());
  options.labels = target.labels;
  options.annotations = parse_pairs(words.annotations, "--annotation");
  return options;
}

// --check, --print-ast and --print-ignored look at the input only; nullopt where none of them was given.
std::optional<int> look_at_input(const BuildWords& words) {
  if (words.print_ast) {
    // The word without dashes is the Dockerfile itself, or a context as in a build.
    const bool is_file = !words.file && !fs::is_directory(words.context);
    print_ast(is_file ? read_dockerfile_input(words.context, ".") : read_dockerfile_input(words.file, words.context));
    return 0;
  }
  if (words.print_ignored) {
    print_ignored(words.context, find_ignore_text(words.file, words.context).value_or(""));
    return 0;
  }
  if (!words.check) return std::nullopt;
  CheckWords check;
  check.build_args = words.build_args;
  check.platforms = words.platforms;
  check.target = words.target;
  return check_dockerfile(read_dockerfile_input(words.file, words.context), check);
}

int run_build(const BuildWords& words, const CancelToken& cancel) {
  if (const auto exit_code = look_at_input(words)) return *exit_code;
  BuildTarget target = make_target(words);
  const std::vector<Output> outputs = make_outputs(words);
  for (const Output& output : outputs) {
    if (output.compression) target.compression = *output.compression;
  }
  const SessionSettings settings = make_settings(words, target, outputs);
  const TimePolicy times = settings.times;
  std::vector<BuildTarget> targets;
  targets.push_back(std::move(target));
  const Plan plan = make_plan(std::move(targets), {});

  BuildSession session(settings, cancel);
  std::vector<BuiltImage> images;
  for (const Output& output : outputs) {
    images = session.build(plan, {0}, [&](const BuildTarget& built) { return assembly_options(words, built, output, times); });
    std::vector<std::string> names = plan.targets[0]->target.names;
    for (const std::string& name : output.names) names.push_back(oci::Reference::parse(name).str());
    switch (output.type) {
      case OutputType::image:
        if (output.push && names.empty()) throw Error(Category::usage, "--push needs a name; give one with -t");
        if (output.push) session.push(images, {names});
        if (output.store && !output.push) session.name_in_store(images, {names});
        break;
      case OutputType::oci:
      case OutputType::docker:
        export_archive(session.layers(), images[0].image, output, names, STDOUT_FILENO);
        break;
      case OutputType::local:
      case OutputType::tar:
        export_files(session.layers(), images[0].image.layers, output, STDOUT_FILENO);
        break;
    }
  }
  session.finish_report({}, images, {}, words.report);
  session.end_progress();
  const AssembledImage& image = images[0].image;
  if (words.iidfile) write_file_atomically(*words.iidfile, image.config.digest.str());
  if (words.metadata_file) {
    write_file_atomically(*words.metadata_file, image_metadata(image, plan.targets[0]->target.names).dump(2) + "\n");
  }
  if (words.quiet) fmt::print("{}\n", image.config.digest.str());
  return 0;
}

}  // namespace

void add_build_command(Arguments& root) {
  const auto words = std::make_shared<BuildWords>();
  Arguments& build = root.command("build", "Build an image from a Dockerfile.");
  build.required_positional("CONTEXT", words->context, "folder with the files of the build")
      .option("-f,--file", words->file, "Dockerfile ('-': standard input; default CONTEXT/Dockerfile)")
      .option("-t,--tag", words->tags, "name of the image, NAME[:TAG]")
      .option("--target", words->target, "stage to build")
      .option("--build-arg", words->build_args, "NAME=VALUE of an ARG")
      .option("--build-context", words->build_contexts, "NAME=FOLDER|docker-image://REF|oci-layout://FOLDER")
      .option("--secret", words->secrets, "id=ID[,src=FILE|,env=NAME] for RUN --mount=type=secret")
      .option("--ssh", words->ssh, "default|ID for RUN --mount=type=ssh")
      .option("--label", words->labels, "NAME=VALUE set in the image")
      .option("--annotation", words->annotations, "NAME=VALUE set in the manifest")
      .option("--platform", words->platforms, "platform to build for, such as linux/amd64")
      .option("--network", words->network, "network of RUN: host (default) or none")
      .option("--ca-bundle", words->ca_bundle, "certificate authorities that RUN trusts: FILE, host or none")
      .flag("--no-cache", words->no_cache, "execute every step")
      .option("--no-cache-filter", words->no_cache_filter, "execute every step of these stages")
      .flag("--pull", words->pull, "ask registries for newer base images")
      .flag("--push", words->push, "push the image to its registries")
      .option("-o,--output", words->outputs, "type=image|oci|docker|local|tar,dest=...,...")
      .option("--iidfile", words->iidfile, "write the image ID to this file")
      .option("--metadata-file", words->metadata_file, "write what was built to this file, as JSON")
      .option("--progress", words->progress, "auto, tty, plain, quiet or rawjson")
      .option("--report", words->report, "write the report of the build to this file, as JSON")
      .flag("-q,--quiet", words->quiet, "print the image ID only")
      .option("--add-host", words->add_hosts, "NAME:ADDRESS in RUN's /etc/hosts")
      .option("--ulimit", words->ulimits, "NAME=SOFT[:HARD] for RUN")
      .option("--shm-size", words->shm_size, "size of RUN's /dev/shm")
      .flag("--check", words->check, "look for mistakes and build nothing, as 'kiln check'")
      .flag("--print-ast", words->print_ast, "print the parse of the Dockerfile CONTEXT as JSON, and build nothing")
      .flag("--print-ignored", words->print_ignored, "list what .dockerignore keeps of CONTEXT, and build nothing")
      .refused("--builder", "kiln has no daemons to choose from")
      .refused("--cgroup-parent", "containers are kiln's own and live as long as a RUN")
      .handler([words](const CancelToken& cancel) { return run_build(*words, cancel); });
}

}  // namespace kiln::cli
