#include "builder/build/push_signing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/thread_pool.hpp"
#include "builder/sign/image_signatures.hpp"

namespace kiln {

namespace {

// An image of one repository, and the pushes that put it there.
struct SigningJob {
  oci::Reference image;  // by digest
  std::vector<std::size_t> pushes;
  std::optional<Error> error;
};

std::vector<SigningJob> signing_jobs(const std::vector<PushedImages>& pushed, const std::vector<PushEnd>& ends) {
  std::map<std::string, SigningJob> jobs;
  for (std::size_t i = 0; i < pushed.size(); ++i) {
    if (ends[i].error || !ends[i].lost.lost.empty()) continue;
    for (const std::string& name : pushed[i].names) {
      const oci::Reference image = oci::Reference::parse(name).with_digest(pushed[i].root.digest);
      SigningJob& job = jobs.emplace(image.str(), SigningJob{image, {}, {}}).first->second;
      if (std::find(job.pushes.begin(), job.pushes.end(), i) == job.pushes.end()) job.pushes.push_back(i);
    }
  }
  std::vector<SigningJob> list;
  for (auto& [name, job] : jobs) list.push_back(std::move(job));
  return list;
}

void sign_one(Workshop& shop, const SigningKey& key, SigningJob& job) {
  StepView task;
  task.number = shop.recorder().new_number();
  task.text = "signing " + job.image.str();
  shop.recorder().step_started(task);
  try {
    sign_pushed_image(shop.remote().get(), job.image, key, shop.recorder());
    shop.recorder().task_finished(task.number, "");
  } catch (const Error& error) {
    job.error = error;
    if (error.category() == Category::cancelled) {
      shop.recorder().task_stopped(task.number);
    } else {
      shop.recorder().task_finished(task.number, error.message());
    }
  }
}

}  // namespace

void sign_pushed(Workshop& shop, const SigningKey& key, const std::vector<PushedImages>& pushed,
                 std::vector<PushEnd>& ends) {
  if (shop.settings().offline) {
    shop.recorder().warn("--offline: nothing is signed; 'kiln push --pending --sign-key FILE' signs what it sends");
    return;
  }
  std::vector<SigningJob> jobs = signing_jobs(pushed, ends);
  if (jobs.empty()) return;
  ThreadPool pool(std::min(jobs.size(), shop.remote().get().settings().parallel_requests));
  pool.parallel_for(jobs.size(), [&](std::size_t i) { sign_one(shop, key, jobs[i]); });
  for (const SigningJob& job : jobs) {
    for (const std::size_t push : job.pushes) {
      if (job.error && !ends[push].error) ends[push].error = job.error;
    }
  }
}

}  // namespace kiln
