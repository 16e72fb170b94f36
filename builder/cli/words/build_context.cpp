#include "builder/cli/words/build_context.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/credentials.hpp"
#include "base/error.hpp"
#include "base/file_kind.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/layer/tar_import.hpp"
#include "builder/layer/unpack.hpp"
#include "builder/steps/archive_source.hpp"
#include "builder/steps/fetched_source.hpp"
#include "builder/steps/git_checkout.hpp"
#include "builder/steps/git_source.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln::cli {

namespace {

// A message as the context's author knows its files: the folder that it was unpacked into is kiln's own and gone.
std::string without_folder(std::string message, const fs::path& folder) {
  const auto replace_all = [&](const std::string& text, std::string_view by) {
    for (std::size_t at = 0; (at = message.find(text, at)) != std::string::npos; at += by.size())
      message.replace(at, text.size(), by);
  };
  replace_all("'" + folder.native() + "'", "the build context");
  replace_all(folder.native() + "/", "");
  return message;
}

DockerfileInput read_unpacked(const fs::path& folder, const std::optional<std::string>& file) {
  if (file == "-") return read_dockerfile_input(file, folder, ContextOrigin::fetched);
  const auto inside =
      file ? std::optional((folder / fs::path("/" + *file).lexically_normal().relative_path()).native()) : std::nullopt;
  DockerfileInput input = read_dockerfile_input(inside, folder, ContextOrigin::fetched);
  input.name = input.path->lexically_relative(folder).native();
  if (!input.ignore_name.empty()) input.ignore_name = fs::path(input.ignore_name).lexically_relative(folder).native();
  return input;
}

}  // namespace

DockerfileInput read_unpacked_dockerfile(const fs::path& folder, const std::optional<std::string>& file) {
  try {
    return read_unpacked(folder, file);
  } catch (const Error& error) {
    throw Error(error.category(), without_folder(error.message(), folder));
  }
}

namespace {

constexpr const char* kFetchedName = "context";  // BuildKit's name for the file behind a URL

// Error{usage} for a larger one than any is, as for a file.
std::string read_dockerfile(ByteSource& source, const std::string& name) {
  try {
    return read_to_end(source, dockerfile::kMaxTextBytes, name);
  } catch (const Error& error) {
    if (error.category() != Category::build) throw;
    throw Error(Category::usage, error.message());
  }
}

BuildContext from_tar(const Fd& tar, const std::string& name, const std::optional<std::string>& file,
                      const CancelToken& cancel) {
  BuildContext result;
  result.unpacked.emplace(fs::temp_directory_path(), "kiln-context-");
  result.folder = result.unpacked->path();
  UnpackOptions options;
  options.to = UnpackTo::plain_tree;
  options.ownership = false;  // a context's files are root's in the image, whatever their owner
  options.devices = false;
  FdSource bytes(tar, name);
  unpack_tar(bytes, name, *result.folder, {}, options, cancel);
  result.dockerfile = read_unpacked_dockerfile(*result.folder, file);
  return result;
}

BuildContext from_stdin(const std::optional<std::string>& file, const CancelToken& cancel) {
  if (file == "-")
    throw Error(Category::usage, "only one of the context and the Dockerfile can come from standard input");
  const fs::path work = fs::temp_directory_path();
  const Fd stream(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  // Of a file its size is known before 64 GiB are copied.
  struct stat info {};
  if (::fstat(stream.get(), &info) == 0 && S_ISREG(info.st_mode) &&
      static_cast<std::uint64_t>(info.st_size) > kMaxArchiveBytes) {
    throw Error(Category::build, fmt::format("'standard input' is larger than {} bytes", kMaxArchiveBytes));
  }
  FdSource input(stream, "standard input");
  const Fd spooled = spool_to_file(input, work, kMaxArchiveBytes, "standard input");
  const auto tar = spool_archive(std::make_unique<FdSource>(spooled, "standard input"), work, "standard input");
  if (tar) return from_tar(*tar, "the build context", file, cancel);
  if (file) throw Error(Category::usage, "standard input is no tar archive, so '-f' has nothing to be found in");
  if (::lseek(spooled.get(), 0, SEEK_SET) != 0) throw_errno("read", "standard input");
  BuildContext result;
  FdSource text(spooled, "standard input");
  result.dockerfile.text = read_dockerfile(text, "the Dockerfile on standard input");
  result.dockerfile.name = "Dockerfile";
  return result;
}

BuildContext from_git(const GitReference& reference, const std::optional<std::string>& file,
                      const ContextAccess& access, const CancelToken& cancel) {
  BuildContext result;
  result.unpacked.emplace(fs::temp_directory_path(), "kiln-context-");
  CheckedOut checked_out =
      check_out_git(reference, {access.keep_git_folder, "", access.secrets}, result.unpacked->path(), cancel);
  result.folder = std::move(checked_out.folder);
  result.digest = std::move(checked_out.commit);
  result.dockerfile = read_unpacked_dockerfile(*result.folder, file);
  return result;
}

oci::Digest download(const std::string& url, const fs::path& place, const SourceSecrets& secrets,
                     const CancelToken& cancel) {
  // Connections end here: a session's runner must be started before any thread.
  StderrLog log;
  const auto remote = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  return download_url(remote->http(), url, "", secrets, place, cancel);
}

// A tar behind a URL is the context; anything else is a Dockerfile, whose context holds just itself under BuildKit's
// name for it.
BuildContext from_url(const std::string& url, const std::optional<std::string>& file, const SourceSecrets& secrets,
                      const CancelToken& cancel) {
  const fs::path work = fs::temp_directory_path();
  BuildContext result;
  result.unpacked.emplace(work, "kiln-context-");
  result.folder = result.unpacked->path();
  const fs::path place = *result.folder / kFetchedName;
  result.digest = download(url, place, secrets, cancel).str();
  const std::string shown = shown_url(url);
  const Fd bytes = open_read(place);
  const auto tar = spool_archive(std::make_unique<FdSource>(bytes, shown), work, shown);
  if (tar) {
    BuildContext unpacked = from_tar(*tar, "the build context", file, cancel);
    unpacked.digest = std::move(result.digest);
    return unpacked;
  }
  if (file == "-") {
    result.dockerfile = read_dockerfile_input(file, *result.folder);
    return result;
  }
  if (file)
    throw Error(Category::usage, fmt::format("'{}' is no tar archive, so '-f' has nothing to be found in", shown));
  const Fd text = open_read(place);
  FdSource source(text, shown);
  result.dockerfile.text = read_dockerfile(source, shown);
  result.dockerfile.name = file_name_of_url(url);
  return result;
}

}  // namespace

ContextAccess context_access(const std::map<std::string, std::string>& build_args, std::vector<SecretSource> secrets) {
  constexpr const char* kKeepGit = "BUILDKIT_CONTEXT_KEEP_GIT_DIR";
  ContextAccess access{SourceSecrets(std::move(secrets)), false};
  const auto keep = build_args.find(kKeepGit);
  if (keep == build_args.end()) return access;
  const std::string value = to_lower(keep->second);
  access.keep_git_folder = value == "1" || value == "t" || value == "true";
  if (!access.keep_git_folder && value != "0" && value != "f" && value != "false") {
    throw Error(Category::usage,
                fmt::format("--build-arg {}: expected true or false, got '{}'", kKeepGit, printable(keep->second)));
  }
  return access;
}

BuildContext open_build_context(const std::string& context, const std::optional<std::string>& file,
                                const ContextAccess& access, const CancelToken& cancel) {
  if (context == "-") return from_stdin(file, cancel);
  if (is_folder(context)) {
    BuildContext result;
    result.folder = fs::absolute(context);
    result.dockerfile = read_dockerfile_input(file, context);
    return result;
  }
  if (const auto reference = parse_git_reference(context)) return from_git(*reference, file, access, cancel);
  if (is_http_url(context)) return from_url(context, file, access.secrets, cancel);
  if (is_regular_file(context)) {
    const Fd archive = open_read(context);
    const auto tar = spool_archive(std::make_unique<FdSource>(archive, context), fs::temp_directory_path(), context);
    if (tar) return from_tar(*tar, context, file, cancel);
  }
  throw Error(Category::usage,
              fmt::format("build context '{}' is neither a folder nor a tar file nor a URL nor a git repository",
                          printable(without_url_credentials(context))));
}

NamedContext open_named_context(const std::string& name, const std::string& value, MayFetch may_fetch,
                                const SourceSecrets& secrets, const CancelToken& cancel) {
  constexpr std::string_view kImage = "docker-image://";
  if (value.starts_with(kImage) && value != "docker-image://scratch") {
    with_context([&] { return fmt::format("which --build-context '{}' names", printable(name)); },
                 [&] { oci::Reference::parse(value.substr(kImage.size())); });
  }
  if (value.starts_with(kImage) || value.starts_with("oci-layout://")) return {value, std::nullopt};
  if (is_folder(value)) return {fs::absolute(value).native(), std::nullopt};
  const auto repository = parse_git_reference(value);
  if (!repository && !is_http_url(value)) {
    throw Error(Category::usage,
                fmt::format("--build-context '{}': '{}' is neither a folder nor a git repository nor a URL; images are "
                            "docker-image://REF or oci-layout://FOLDER",
                            printable(name), printable(without_url_credentials(value))));
  }
  if (may_fetch == MayFetch::no) {
    throw Error(Category::network,
                fmt::format("--offline: the build context '{}' is a URL, and nothing is fetched", printable(name)));
  }
  NamedContext result{"", TempDir(fs::temp_directory_path(), "kiln-context-")};
  if (repository) {
    CheckedOut checked_out = check_out_git(*repository, {false, "", secrets}, result.unpacked->path(), cancel);
    result.value = checked_out.folder.native();
    result.digest = std::move(checked_out.commit);
  } else {
    result.value = result.unpacked->path().native();
    result.digest = download(value, result.unpacked->path() / kFetchedName, secrets, cancel).str();
  }
  return result;
}

}  // namespace kiln::cli
