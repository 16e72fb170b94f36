#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/ci_files.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/version.hpp"

namespace kiln::cli {

namespace {

struct CiWords {
  std::string folder = ".";
  bool force = false;
  bool sign = false;
};

// What a kiln.yml that signs passes to kiln-fleet.yml besides the cache.
constexpr std::string_view kCacheInput = "      cache: ghcr.io/${{ github.repository_owner }}/kiln-cache\n";
constexpr std::string_view kSignedSetUp =
    "      sbom: 'true'\n"
    "      provenance: mode=max\n"
    "    # Secrets of the repository: the private key that signs what is pushed, and its password.\n"
    "    secrets:\n"
    "      sign-key: ${{ secrets.KILN_SIGN_KEY }}\n"
    "      sign-key-password: ${{ secrets.KILN_SIGN_KEY_PASSWORD }}\n";

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 20;

fs::path repository_of(const CiWords& words) {
  const fs::path folder = words.folder;
  if (!fs::is_directory(folder))
    throw Error(Category::usage, fmt::format("'{}' is not a folder", printable(words.folder)));
  return folder;
}

std::optional<std::string> text_of(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  return read_file(path, kMaxFileBytes);
}

bool was_written_by_kiln(const std::string& text) {
  return text.find("Written by 'kiln ci init'") != std::string::npos;
}

void make_signed(CiFile& caller) {
  caller.text.insert(caller.text.find(kCacheInput) + kCacheInput.size(), kSignedSetUp);
}

// What is left to do for signatures, which takes no more than a key: no token of an identity provider, no public log.
void tell_set_up(const CiFile& caller, const std::string& text) {
  if (text.find("sign-key:") == std::string::npos) {
    print_text(fmt::format(
        "\n{} is yours and passes no key; add below the job that calls kiln-fleet.yml, in 'with:' and beside it:\n{}",
        caller.path, kSignedSetUp));
  }
  print_text(
      "\nOnce, on your machine:\n"
      "  cosign generate-key-pair                       # cosign.key, encrypted with a password, and cosign.pub\n"
      "  gh secret set KILN_SIGN_KEY < cosign.key\n"
      "  gh secret set KILN_SIGN_KEY_PASSWORD           # asks for the password\n"
      "Commit cosign.pub, keep cosign.key where it is safe. What is pushed from then on is verified by\n"
      "  kiln verify REF --key cosign.pub\n");
}

// A link would lead what is written out of the repository, or to another name in it.
void refuse_links(const fs::path& folder, const fs::path& file) {
  fs::path path = folder;
  for (const fs::path& part : file) {
    path /= part;
    if (fs::is_symlink(path))
      throw Error(Category::usage, fmt::format("'{}' is a symbolic link, which kiln does not write through",
                                               path.lexically_relative(folder).native()));
  }
}

int run_init(const CiWords& words) {
  const fs::path folder = repository_of(words);
  std::vector<CiFile> files = ci_files();
  if (words.sign) make_signed(files.front());
  for (const CiFile& file : files) {  // all or nothing
    refuse_links(folder, file.path);
    const auto there = text_of(folder / file.path);
    if (!file.is_users && there && !was_written_by_kiln(*there) && !words.force) {
      throw Error(Category::usage,
                  fmt::format("'{}' is not kiln's; move it away, or pass --force to replace it", file.path));
    }
  }
  for (const CiFile& file : files) {
    const fs::path path = folder / file.path;
    const auto there = text_of(path);
    const bool keep = there && (*there == file.text || file.is_users);
    if (!keep) {
      fs::create_directories(path.parent_path());
      write_file_atomically(path, file.text);
      if (file.is_executable) {
        fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                        fs::perm_options::add);
      }
    }
    print_text(fmt::format("{} {}\n", keep ? (file.is_users ? "yours    " : "unchanged") : "written  ", file.path));
  }
  if (words.sign) tell_set_up(files.front(), *text_of(folder / files.front().path));
  return 0;
}

int run_check(const CiWords& words) {
  const fs::path folder = repository_of(words);
  bool is_current = true;
  for (const CiFile& file : ci_files()) {
    const auto there = text_of(folder / file.path);
    std::string state;
    if (!there) {
      state = "missing";
    } else if (!file.is_users && *there != file.text) {
      state = "stale";
    } else {
      continue;
    }
    is_current = false;
    print_text(fmt::format("{} {}\n", state, file.path));
  }
  print_text(fmt::format("{}\n", is_current ? fmt::format("the workflows are those of kiln {}", kVersion)
                                            : "run 'kiln ci init' and commit what it writes"));
  return is_current ? 0 : 1;
}

}  // namespace

std::vector<CiFile> ci_files() {
  std::string action(embedded::action_text());
  constexpr std::string_view kPlaceholder = "@KILN_VERSION@";
  action.replace(action.find(kPlaceholder), kPlaceholder.size(), kVersion);
  return {{".github/workflows/kiln.yml", std::string(embedded::caller_workflow_text()), true, false},
          {".github/workflows/kiln-fleet.yml", std::string(embedded::fleet_workflow_text()), false, false},
          {".github/workflows/kiln-wave.yml", std::string(embedded::wave_workflow_text()), false, false},
          {".github/workflows/kiln-comment.yml", std::string(embedded::comment_workflow_text()), false, false},
          {".github/actions/kiln/action.yml", std::move(action), false, false},
          {".github/actions/kiln/kiln.sh", std::string(embedded::action_script_text()), false, true}};
}

void add_ci_command(Arguments& root) {
  const auto words = std::make_shared<CiWords>();
  Arguments& ci = root.command("ci", "GitHub Actions workflows for a repository with a fleet.");
  ci.command("init",
             "Write the workflows and the action into .github/; what is there and kiln's is brought up to date.")
      .option("-C,--directory", words->folder, "the repository (default: the working directory)")
      .flag("--force", words->force, "replace files that are not kiln's too")
      .flag("--sign", words->sign, "a kiln.yml that signs what is pushed with a key, and adds SBOM and provenance")
      .handler([words](const CancelToken&) { return run_init(*words); });
  ci.command("check", "Say which of these files are missing or stale; exit code 1 where some are.")
      .option("-C,--directory", words->folder, "the repository (default: the working directory)")
      .handler([words](const CancelToken&) { return run_check(*words); });
}

}  // namespace kiln::cli
