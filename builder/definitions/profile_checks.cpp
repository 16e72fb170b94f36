#include "builder/definitions/profile_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <tuple>

#include "base/text.hpp"

namespace kiln {

namespace {

using Severity = ProfileFinding::Severity;

// Compute capabilities of GPUs that machines of a fleet have (https://developer.nvidia.com/cuda-gpus). A GPU that is
// not named here is not checked.
struct KnownGpu {
  std::string_view name;
  std::string_view capability;
};
constexpr std::array kKnownGpus = {
    KnownGpu{"RTX 5090", "12.0"}, KnownGpu{"RTX 5080", "12.0"}, KnownGpu{"RTX 5070", "12.0"},
    KnownGpu{"RTX 4090", "8.9"},  KnownGpu{"RTX 4080", "8.9"},  KnownGpu{"RTX 4070", "8.9"},
    KnownGpu{"RTX 4060", "8.9"},  KnownGpu{"RTX 3090", "8.6"},  KnownGpu{"RTX 3080", "8.6"},
    KnownGpu{"RTX 3070", "8.6"},  KnownGpu{"RTX 3060", "8.6"},  KnownGpu{"RTX 3050", "8.6"},
    KnownGpu{"RTX 2080", "7.5"},  KnownGpu{"RTX 2070", "7.5"},  KnownGpu{"RTX 2060", "7.5"},
    KnownGpu{"H100", "9.0"},      KnownGpu{"H200", "9.0"},      KnownGpu{"A100", "8.0"},
    KnownGpu{"L40S", "8.9"},      KnownGpu{"L40", "8.9"},       KnownGpu{"L4", "8.9"},
    KnownGpu{"A40", "8.6"},       KnownGpu{"A10", "8.6"},       KnownGpu{"T4", "7.5"},
    KnownGpu{"V100", "7.0"},      KnownGpu{"P100", "6.0"}};

// What torch's CUDA allocator knows (c10/cuda/CUDAAllocatorConfig.cpp); it stops at any other.
const std::vector<std::string> kAllocatorOptions = {"backend",
                                                    "expandable_segments",
                                                    "garbage_collection_threshold",
                                                    "max_split_size_mb",
                                                    "pinned_num_register_threads",
                                                    "pinned_use_cuda_host_register",
                                                    "release_lock_on_cudamalloc",
                                                    "roundup_power2_divisions"};
constexpr std::uint64_t kSmallestSplitMb = 21;  // "must be > 20"
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// A Python web process with its framework loaded; and what CUDA's context, cuBLAS and cuDNN take beside the models.
constexpr std::uint64_t kWorkerBytes = 96 * kMiB;
constexpr std::uint64_t kGpuContextBytes = 512 * kMiB;

class ProfileCheck {
 public:
  explicit ProfileCheck(const Profile& profile) : profile_(profile), machine_(profile.machine) {}

  std::vector<ProfileFinding> run() {
    check_processor();
    check_gpu();
    check_allocator();
    check_gpu_memory();
    std::sort(findings_.begin(), findings_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.severity, a.key, a.text) < std::tie(b.severity, b.key, b.text);
    });
    return std::move(findings_);
  }

 private:
  void report(Severity severity, std::string key, std::string text) {
    findings_.push_back({severity, std::move(key), std::move(text)});
  }

  const std::string* value(const std::string& key) const {
    const auto found = profile_.values.find(key);
    return found == profile_.values.end() ? nullptr : &found->second;
  }
  std::optional<std::uint64_t> number(const std::string& key) const {
    const std::string* text = value(key);
    return text ? parse_unsigned(*text) : std::nullopt;
  }

  void check_processor() {
    const auto threads = number("OMP_NUM_THREADS");
    const auto workers = number("UVICORN_WORKERS");
    if (machine_.cores) {
      const auto cores = static_cast<std::uint64_t>(*machine_.cores);
      if (threads && *threads > cores)
        report(Severity::error, "OMP_NUM_THREADS", fmt::format("{} threads on {} cores", *threads, cores));
      if (workers && *workers > 2 * cores + 1) {
        report(Severity::error, "UVICORN_WORKERS",
               fmt::format("{} processes on {} cores; at most {} (2 x cores + 1) keep them busy", *workers, cores,
                           2 * cores + 1));
      } else if (workers && threads && *threads <= cores && *workers * *threads > 2 * cores) {
        report(Severity::warning, "UVICORN_WORKERS",
               fmt::format(
                   "{} processes of OMP_NUM_THREADS={} are {} threads on {} cores where all of them compute at once",
                   *workers, *threads, *workers * *threads, cores));
      }
    }
    if (machine_.memory_bytes && workers && *workers * kWorkerBytes > *machine_.memory_bytes) {
      report(Severity::error, "UVICORN_WORKERS",
             fmt::format("{} processes of at least {} do not fit into {} of memory", *workers,
                         human_bytes(kWorkerBytes), human_bytes(*machine_.memory_bytes)));
    }
  }

  void check_gpu() {
    const std::string* visible = value("GPU_VISIBLE_DEVICES");
    const std::string* capability = value("CUDA_ARCH");
    const bool says_something = machine_.cores || machine_.memory_bytes || machine_.vram_bytes || !machine_.gpu.empty();
    if (machine_.gpu.empty()) {
      if (machine_.vram_bytes) report(Severity::error, "machine", "it has 'vram' and no 'gpu'");
      if (says_something && visible && *visible != "-1") {
        report(Severity::error, "GPU_VISIBLE_DEVICES",
               fmt::format("'{}' on a machine without a GPU; '-1' shows none", printable(*visible)));
      }
      return;
    }
    if (visible && *visible == "-1")
      report(Severity::warning, "GPU_VISIBLE_DEVICES",
             fmt::format("'-1' hides the machine's {}", printable(machine_.gpu)));
    if (!capability) return;
    for (const KnownGpu& gpu : kKnownGpus) {
      if (!names(machine_.gpu, gpu.name)) continue;
      if (*capability != gpu.capability) {
        report(Severity::error, "CUDA_ARCH",
               fmt::format("'{}', but the compute capability of '{}' is {}", printable(*capability),
                           printable(machine_.gpu), gpu.capability));
      }
      return;
    }
  }

  // Whether the words of `name` stand in `text`, not as a part of longer ones ("L4" in "L40").
  static bool names(std::string_view text, std::string_view name) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) return false;
    const auto is_word = [&](std::size_t i) {
      return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0;
    };
    return (at == 0 || !is_word(at - 1)) && !is_word(at + name.size());
  }

  void check_allocator() {
    const std::string* options = value("TORCH_CUDA_ALLOC_CONF");
    if (!options) return;
    for (const std::string_view part : split(*options, ',')) {
      const std::string option(part);
      const auto colon = option.find(':');
      const std::string name = option.substr(0, colon);
      const std::string setting = colon == std::string::npos ? "" : option.substr(colon + 1);
      if (std::find(kAllocatorOptions.begin(), kAllocatorOptions.end(), name) == kAllocatorOptions.end()) {
        report(Severity::error, "TORCH_CUDA_ALLOC_CONF",
               fmt::format("torch knows no option '{}'{}", printable(name), suggestion(name, kAllocatorOptions)));
      } else if (name == "max_split_size_mb") {
        check_split(setting);
      } else if (name == "garbage_collection_threshold") {
        const double share = std::strtod(setting.c_str(), nullptr);
        if (!(share > 0 && share < 1)) {
          report(Severity::error, "TORCH_CUDA_ALLOC_CONF",
                 fmt::format("garbage_collection_threshold is '{}'; torch takes what lies between 0 and 1",
                             printable(setting)));
        }
      }
    }
  }

  void check_split(const std::string& setting) {
    const auto megabytes = parse_unsigned(setting);
    if (!megabytes || *megabytes < kSmallestSplitMb) {
      report(Severity::error, "TORCH_CUDA_ALLOC_CONF",
             fmt::format("max_split_size_mb is '{}'; torch takes numbers above 20", printable(setting)));
    } else if (machine_.vram_bytes && *megabytes > *machine_.vram_bytes / kMiB) {
      report(Severity::error, "TORCH_CUDA_ALLOC_CONF",
             fmt::format("max_split_size_mb is {}, the GPU has {}", *megabytes, human_bytes(*machine_.vram_bytes)));
    }
  }

  void check_gpu_memory() {
    const auto threshold = number("MODEL_EVICT_THRESHOLD_PCT");
    if (!threshold || *threshold > 100 || !machine_.vram_bytes) return;
    const std::uint64_t left = *machine_.vram_bytes / 100 * (100 - *threshold);
    if (left < kGpuContextBytes) {
      report(Severity::warning, "MODEL_EVICT_THRESHOLD_PCT",
             fmt::format("{} % of {} leave {} for CUDA itself, which takes some {}", *threshold,
                         human_bytes(*machine_.vram_bytes), human_bytes(left), human_bytes(kGpuContextBytes)));
    }
  }

  const Profile& profile_;
  const Machine& machine_;
  std::vector<ProfileFinding> findings_;
};

}  // namespace

std::vector<ProfileFinding> check_profile(const Profile& profile) { return ProfileCheck(profile).run(); }

}  // namespace kiln
