#include "builder/build/build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/clock.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/attestor.hpp"
#include "builder/build/build_jobs.hpp"
#include "builder/build/delivery.hpp"
#include "builder/build/earlier_steps.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/build/image_push.hpp"
#include "builder/build/places.hpp"
#include "builder/build/policy_gate.hpp"
#include "builder/build/record_keeper.hpp"
#include "builder/build/workshop.hpp"

namespace kiln {

namespace {

// Twice what the kernel leaves written pages in memory for by itself (vm.dirty_expire_centisecs).
constexpr std::chrono::seconds kSettled{60};

using Stages = Workshop::Stages;

void check_inputs_tag(const BuildRequest& request) {
  if (!request.delivery.inputs_tag) return;
  if (request.settings.offline)
    throw Error(Category::usage,
                "--inputs-tag promises a cache that others can read; it cannot be given with --offline");
  if (!request.delivery.push) throw Error(Category::usage, "--inputs-tag is given to what is pushed; add --push");
}

// SOURCE_DATE_EPOCH as a build arg, in the environment, or as an ARG of the Dockerfile above its first FROM.
std::optional<UnixSeconds> epoch_of(const PlannedTarget& target) {
  std::map<std::string, std::string> args = target.target.args;
  const auto value = target.scope->find("SOURCE_DATE_EPOCH");
  if (value && !environment_variable("SOURCE_DATE_EPOCH")) args.emplace("SOURCE_DATE_EPOCH", *value);
  return source_date_epoch(args);
}

// One build that is under way.
class Build {
 public:
  Build(const BuildRequest& request, Plan plan, const BuildSurroundings& surroundings)
      : request_(request), surroundings_(surroundings), settings_(request.settings) {
    const double began = surroundings.host.clock().monotonic_seconds();
    result_.plan = std::move(plan);
    check_inputs_tag(request);
    wanted_ = wanted_of(result_.plan, request);
    pins_ = parse_pins(request.delivery.pins, result_.plan, {wanted_.begin(), wanted_.end()});
    jobs_ = jobs_of(request, result_.plan);
    if (push_anything(jobs_) && request.delivery.signing.open_key) sign_key_ = request.delivery.signing.open_key();
    if (request.fleet.front_end == FrontEnd::flags) settings_.times.epoch = epoch_of(*result_.plan.targets[0]);
    find_inputs_tags();
    shop_ = std::make_unique<Workshop>(settings_, surroundings, result_.plan.secrets);
    record_ = std::make_unique<RecordKeeper>(*shop_, began);
    attestor_ = std::make_unique<Attestor>(*shop_, result_.plan, request_);
    gate_ = std::make_unique<PolicyGate>(*shop_, result_.plan, request_.fleet.settings.policy);
  }

  BuildResult run() {
    shop_->push_early(early_targets());
    const Stages stages = solve();
    assemble(stages);
    check(stages);
    check_policy();
    WorkshopPlaces places(*shop_, settings_.times.epoch, sign_key_);
    deliver(deliveries_, places, [&](const std::set<std::string>& targets, const Blocked& lost) {
      make_again(targets, lost);
      check_policy();
    });
    write_caches();
    push_inputs_tags();
    describe_targets();
    if (request_.is_reported) {
      shop_->recorder().add_policy(gate_->findings());
      result_.report = record_->finish(request_, result_.targets);
    }
    keep_bound(*shop_, settings_.store_bound);
    shop_->end_progress();
    if (surroundings_.on_built) surroundings_.on_built(result_.targets, *shop_);
    return std::move(result_);
  }

 private:
  const TargetSpec& target_of(const BuildJob& job) const { return result_.plan.targets[job.numbers.front()]->target; }

  void find_inputs_tags() {
    const bool has_part = std::any_of(jobs_.begin(), jobs_.end(), [](const BuildJob& job) { return job.is_part; });
    if (!request_.delivery.inputs_tag && !has_part) return;
    const auto inputs = fleet_inputs(result_.plan, {wanted_.begin(), wanted_.end()}, settings_, surroundings_);
    for (const BuildJob& job : jobs_) {
      std::vector<std::string>& names = inputs_names_.emplace_back();
      std::vector<TargetInputs> own;
      for (const std::size_t number : job.numbers) own.push_back(inputs[number]);
      std::vector<oci::Reference> references;
      if (job.is_part) {
        references = platform_references(target_of(job), own.front());
      } else if (request_.delivery.inputs_tag) {
        references = inputs_references(target_of(job), inputs_of_all(own));
      }
      for (const oci::Reference& reference : references) names.push_back(reference.str());
    }
  }

  // Where layers may go while their images are built. With pins nothing, nor with a policy that denies images: one that
  // comes out wrong is to send nothing.
  std::map<std::string, EarlyTarget> early_targets() const {
    std::map<std::string, EarlyTarget> targets;
    if (!pins_.empty() || request_.fleet.settings.policy.denies_images()) return targets;
    for (const BuildJob& job : jobs_) {
      const TargetSpec& target = target_of(job);
      if (const auto first = early_target(target, job.outputs, job.names)) targets.emplace(target.name, *first);
    }
    return targets;
  }

  void report_failed_run(const Error& error) {
    const bool is_asked = settings_.runs.keep_failed && surroundings_.on_failed_run;
    if (!is_asked || error.category() == Category::cancelled) return;
    auto failed = shop_->runs().take_failed();
    shop_->end_progress();
    if (failed) shop_->abandon_remote();
    surroundings_.on_failed_run(error, std::move(failed), *shop_);
  }

  // What is published under a pinned name, for the platforms that this build needs it for.
  std::vector<std::size_t> pinned_numbers(const Pin& pin) const {
    const auto published = numbers_of(result_.plan, result_.plan.targets[pin.target]->target.name);
    const auto needed = result_.plan.closure({wanted_.begin(), wanted_.end()});
    std::vector<std::size_t> numbers;
    std::copy_if(published.begin(), published.end(), std::back_inserter(numbers),
                 [&](std::size_t number) { return needed.count(number) != 0; });
    return numbers.empty() ? published : numbers;
  }

  // In the form in which it is pushed.
  PinnedImages pinned_images(const Stages& stages, const Pin& pin) {
    const TargetSpec& target = result_.plan.targets[pin.target]->target;
    const auto numbers = pinned_numbers(pin);
    const std::size_t platforms = numbers_of(result_.plan, target.name).size();
    Output output = last_image_output(target, platforms);
    output.push = true;
    std::vector<BuiltImage> images;
    const bool is_attested = attestor_->is_in_index(target, output);
    PinnedImages pinned{target.name, {}, {}, numbers.size() < platforms, is_attested};
    for (const std::size_t number : numbers) {
      images.push_back(image_of(stages, number, output));
      pinned.manifests.push_back(images.back().image.manifest);
    }
    pinned.root = root_of(shop_->store(), images, output);
    return pinned;
  }

  Stages solve_or_report(const std::set<std::size_t>& wanted) {
    try {
      Stages stages = shop_->solve(result_.plan, wanted, [&](std::size_t number, const ImageLayer& layer) {
        return is_needed_here(number, layer);
      });
      attestor_->hear_steps();
      return stages;
    } catch (const Error& error) {
      report_failed_run(error);
      throw;
    }
  }

  // A layer that an output reads, or that is compressed anew for it, has to be in the store.
  bool is_needed_here(std::size_t number, const ImageLayer& layer) const {
    for (const BuildJob& job : jobs_) {
      if (std::find(job.numbers.begin(), job.numbers.end(), number) == job.numbers.end()) continue;
      const TargetSpec& target = result_.plan.targets[number]->target;
      return std::any_of(job.outputs.begin(), job.outputs.end(), [&](const Output& output) {
        return reads_layers(output, names_at(output, job.names)) ||
               is_recompressed(layer, assembly_options(target, output, settings_.times));
      });
    }
    return false;  // only looked at, for a pin
  }

  Stages solve() {
    std::vector<std::size_t> all = wanted_;
    for (const Pin& pin : pins_) {
      const auto pinned = pinned_numbers(pin);
      all.insert(all.end(), pinned.begin(), pinned.end());
    }
    shop_->caches().expect(result_.plan, all);
    for (const std::string& note : result_.plan.notes) shop_->recorder().warn(note);
    for (const BuildJob& job : jobs_) {
      std::vector<oci::Platform> platforms;
      for (const std::size_t number : numbers_of(result_.plan, target_of(job).name))
        platforms.push_back(result_.plan.targets[number]->target.platform());
      for (const std::string& unused : unused_words(target_of(job), job.outputs, platforms))
        shop_->recorder().warn(unused);
      // A fleet that says what is to be said of its images is baked without being pushed most of the time.
      const bool is_asked_for = request_.fleet.front_end == FrontEnd::flags;
      const std::string lost = unused_attestations(target_of(job), job.outputs, attestor_->wanted_form());
      if (is_asked_for && !lost.empty()) shop_->recorder().warn(lost);
    }
    if (request_.delivery.signing.is_said && !push_anything(jobs_))
      shop_->recorder().warn("--sign-key does nothing: no image is pushed");
    record_->begin(result_.plan, all, request_.fleet);
    gate_->check_definitions(all);
    gate_->enforce();
    if (shop_->recorder().wants_expectation()) tell_expectation(all);
    Stages stages = solve_or_report({all.begin(), all.end()});
    // What is pushed next is mounted from the cache, not sent a second time.
    if (StepSharing* sharing = shop_->sharing()) sharing->finish();
    shop_->stat_cache().flush();
    shop_->snapshots().mark_settled(kSettled);
    return stages;
  }

  void tell_expectation(const std::vector<std::size_t>& numbers) {
    constexpr std::size_t kBuildsLookedAt = 5;
    const fs::path& folder = request_.fleet.folder;
    try {
      const EarlierSteps earlier(BuildRecordStore(shop_->home().builds()),
                                 folder.empty() ? folder : fs::absolute(folder).lexically_normal(), kBuildsLookedAt);
      shop_->recorder().build_expected(expected_stages(result_.plan, {numbers.begin(), numbers.end()}, earlier));
    } catch (const Error& error) {
      shop_->recorder().debug(fmt::format("how long this takes is not known: {}", error.message()));
    }
  }

  BuiltImage image_of(const Stages& stages, std::size_t number, const Output& output) {
    const StageResult& stage = *stages.at(number);
    const TargetSpec& target = result_.plan.targets[number]->target;
    return {&target, assemble_image(shop_->layers(), stage.config.image, stage.layers,
                                    assembly_options(target, output, settings_.times), stage.base)};
  }

  Delivery delivery_of(const Stages& stages, const BuildJob& job, const Output& output) {
    Delivery delivery;
    delivery.target = target_of(job).name;
    delivery.output = output;
    delivery.names = names_at(output, job.names);
    for (const std::size_t number : job.numbers) delivery.images.push_back(image_of(stages, number, output));
    delivery.root = root_of(shop_->store(), delivery.images, output);
    attestor_->attest(delivery, job.numbers, stages);
    return delivery;
  }

  void assemble(const Stages& stages) {
    for (const BuildJob& job : jobs_) {
      for (const Output& output : job.outputs) deliveries_.push_back(delivery_of(stages, job, output));
    }
    shop_->store().sync();
  }

  // Layers were lost after they had been looked up: solves these targets again with their steps executed.
  void make_again(const std::set<std::string>& targets, const Blocked& lost) {
    shop_->lose(lost);
    std::set<std::size_t> numbers;
    for (const BuildJob& job : jobs_) {
      if (targets.count(target_of(job).name)) numbers.insert(job.numbers.begin(), job.numbers.end());
    }
    for (const Pin& pin : pins_) {
      const auto pinned = pinned_numbers(pin);
      numbers.insert(pinned.begin(), pinned.end());
    }
    const Stages stages = solve_or_report(numbers);
    std::size_t i = 0;
    for (const BuildJob& job : jobs_) {
      for (const Output& output : job.outputs) {
        if (targets.count(target_of(job).name)) deliveries_[i] = delivery_of(stages, job, output);
        ++i;
      }
    }
    shop_->store().sync();
    check(stages);
  }

  // What has to be true before anything leaves: pins hold, and no image is larger than it may be.
  void check(const Stages& stages) {
    for (const Pin& pin : pins_) check_pin(pin, pinned_images(stages, pin), shop_->remote().get());
    std::vector<BuiltImage> images;
    for_each_last([&](const BuildJob&, const Delivery& delivery) {
      images.insert(images.end(), delivery.images.begin(), delivery.images.end());
    });
    check_sizes(images);
  }

  // What the policy says of the images that are about to leave, in all their forms. Looking into a layer may show that
  // no place has it.
  void check_policy() {
    while (true) {
      gate_->check_what_was_taken();
      std::set<std::string> targets;
      Blocked lost;
      std::size_t i = 0;
      for (const BuildJob& job : jobs_) {
        for (const Output& output : job.outputs) {
          const Delivery& delivery = deliveries_[i++];
          if (!makes_image(output.type)) continue;
          for (std::size_t k = 0; k < delivery.images.size(); ++k) {
            const Blocked missing = gate_->check_image(job.numbers[k], delivery.images[k]);
            if (!missing.lost.empty()) targets.insert(delivery.target);
            lost.add(missing);
          }
        }
      }
      gate_->enforce();
      if (targets.empty()) return;
      make_again(targets, lost);
    }
  }

  // Each target's last output: the form that is reported.
  template <class Use>
  void for_each_last(Use&& use) const {
    std::size_t end = 0;
    for (const BuildJob& job : jobs_) {
      end += job.outputs.size();
      use(job, deliveries_[end - 1]);
    }
  }

  // Writes what the build used to the shared cache, after the images were pushed, so that their blobs can be mounted.
  // Error{network} where that fails and its failing is not to be ignored.
  void write_caches() {
    SharedCache* cache = shop_->caches().cache();
    if (!cache || !cache->is_written()) return;
    std::vector<CachedImage> cached;
    std::size_t end = 0;
    for (const BuildJob& job : jobs_) {
      std::vector<RemoteRepository> pushed_to;
      const std::size_t begin = end;
      end += job.outputs.size();
      for (std::size_t i = begin; i < end; ++i) add_places(deliveries_[i], pushed_to);
      for (const BuiltImage& built : deliveries_[end - 1].images)
        cached.push_back({built.image.parsed.layers, pushed_to});
    }
    shop_->runs().share_mounts();
    shop_->caches().write(result_.plan, wanted_, shop_->steps(), shop_->layers(), shop_->store(), cached);
    cache->finish();
  }

  void add_places(const Delivery& delivery, std::vector<RemoteRepository>& places) {
    if (!delivery.output.push || settings_.offline) return;
    for (const std::string& name : delivery.names) {
      const RemoteRepository place = shop_->remote().get().repository_of(oci::Reference::parse(name));
      if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
    }
  }

  // Last: a machine that finds this tag may rely on the cache too.
  void push_inputs_tags() {
    if (inputs_names_.empty()) return;
    std::vector<PushedImages> pushed;
    std::size_t i = 0;
    for (const BuildJob& job : jobs_) {
      PushedImages& one = pushed.emplace_back();
      for (const Output& output : job.outputs) {
        const Delivery& delivery = deliveries_[i++];
        if (output.push) one = {&delivery.images, delivery.root, inputs_names_[pushed.size() - 1]};
      }
    }
    std::erase_if(pushed, [](const PushedImages& one) { return one.names.empty(); });
    for (const PushEnd& end : ImagePush(*shop_).push(pushed)) {
      if (end.error) throw Error(*end.error);
      if (!end.lost.lost.empty()) refuse_lost(end.lost);
    }
  }

  void describe_targets() {
    for_each_last([&](const BuildJob& job, const Delivery& last) {
      BuiltTarget& built = result_.targets.emplace_back();
      built.name = last.target;
      built.images = last.images;
      built.root = last.root;
      for (const Output& output : job.outputs) {
        for (const std::string& name : names_at(output, job.names)) {
          if (std::find(built.names.begin(), built.names.end(), name) == built.names.end()) built.names.push_back(name);
        }
      }
    });
  }

  const BuildRequest& request_;
  const BuildSurroundings& surroundings_;
  BuildSettings settings_;
  BuildResult result_;
  std::vector<std::size_t> wanted_;  // numbers of the plan, in the order of the jobs
  std::vector<Pin> pins_;
  std::vector<BuildJob> jobs_;
  std::optional<SigningKey> sign_key_;
  std::vector<std::vector<std::string>> inputs_names_;  // by job; none at all where no job has any
  std::unique_ptr<Workshop> shop_;
  std::unique_ptr<RecordKeeper> record_;
  std::unique_ptr<Attestor> attestor_;
  std::unique_ptr<PolicyGate> gate_;
  std::vector<Delivery> deliveries_;  // the outputs of all jobs, in their order
};

}  // namespace

std::vector<std::size_t> numbers_of(const Plan& plan, const std::string& target) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const PlannedTarget& planned = *plan.targets[i];
    if (planned.target.name == target && !planned.is_for_children) numbers.push_back(i);
  }
  return numbers;
}

std::vector<std::size_t> wanted_of(const Plan& plan, const BuildRequest& request, const std::string& target) {
  std::vector<std::size_t> numbers = numbers_of(plan, target);
  if (!request.only_platform) return numbers;
  const auto platform = request.only_platform->normalised();
  std::vector<std::string> known;
  for (const std::size_t number : numbers) known.push_back(plan.targets[number]->target.platform().str());
  std::erase_if(numbers,
                [&](std::size_t number) { return plan.targets[number]->target.platform().normalised() != platform; });
  if (numbers.empty()) {
    throw Error(Category::usage, fmt::format("target '{}' is not built for {} but for {}", printable(target),
                                             request.only_platform->str(), join(known, ", ")));
  }
  return numbers;
}

std::vector<std::size_t> wanted_of(const Plan& plan, const BuildRequest& request) {
  std::vector<std::size_t> wanted;
  for (const std::string& name : request.targets) {
    const auto numbers = wanted_of(plan, request, name);
    wanted.insert(wanted.end(), numbers.begin(), numbers.end());
  }
  return wanted;
}

Plan plan_request(const BuildRequest& request) {
  std::vector<const TargetSpec*> targets;
  for (const std::string& name : request.targets) targets.push_back(request.fleet.find(name));
  return plan_fleet(request.fleet, targets, request.naming);
}

BuildResult build(const BuildRequest& request, Plan plan, const BuildSurroundings& surroundings) {
  const SecretValues secrets = plan.secrets;
  return secrets.guard([&] { return Build(request, std::move(plan), surroundings).run(); });
}

BuildResult build(const BuildRequest& request, const BuildSurroundings& surroundings) {
  return build(request, plan_request(request), surroundings);
}

}  // namespace kiln
