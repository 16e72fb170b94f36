#include "builder/cli/words/signing_keys.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/fd.hpp"
#include "base/file.hpp"
#include "base/file_kind.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace kiln::cli {

namespace {

constexpr char kPasswordVariable[] = "COSIGN_PASSWORD";
constexpr std::string_view kEnvironmentScheme = "env://";
constexpr std::uint64_t kMostKeyBytes = std::uint64_t{64} << 10;
constexpr std::size_t kMostKeyPasswordBytes = 4096;
constexpr int kLookForCancelMs = 100;

// The terminal does not show what is typed, as long as this lives.
class HiddenInput {
 public:
  explicit HiddenInput(int fd) : fd_(fd) {
    is_changed_ = ::tcgetattr(fd, &before_) == 0;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (is_changed_) ::tcsetattr(fd, TCSAFLUSH, &hidden);
  }
  ~HiddenInput() {
    if (is_changed_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  int fd_;
  termios before_{};
  bool is_changed_ = false;
};

void write_to_terminal(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) < 0)
    throw Error(Category::machine, "the terminal does not take a question for the key's password");
}

std::string read_line_of(int fd, const CancelToken& cancel) {
  std::string line;
  for (;;) {
    cancel.check();
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, kLookForCancelMs) <= 0) continue;
    char c = 0;
    const ssize_t count = ::read(fd, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') return line;
    if (line.size() == kMostKeyPasswordBytes)
      throw Error(Category::usage, fmt::format("a password has at most {} bytes", kMostKeyPasswordBytes));
    line += c;
  }
}

std::string ask_for_password(const std::string& where, const CancelToken& cancel) {
  if (const auto password = environment_variable(kPasswordVariable)) return *password;
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (terminal.get() < 0) {
    throw Error(Category::usage,
                fmt::format("{} is encrypted and there is no terminal to ask for its password on; set {} (empty where "
                            "the key has none)",
                            where, kPasswordVariable));
  }
  const HiddenInput hidden(terminal.get());
  write_to_terminal(terminal.get(), fmt::format("Password of {}: ", where));
  std::string password = read_line_of(terminal.get(), cancel);
  write_to_terminal(terminal.get(), "\n");
  return password;
}

// The text in PEM, and what to call it.
std::pair<std::string, std::string> key_of_word(const std::string& word, const char* flag) {
  if (trim(word).starts_with("-----BEGIN ")) return {word, fmt::format("the key of {}", flag)};
  if (word.starts_with(kEnvironmentScheme)) {
    const std::string name = word.substr(kEnvironmentScheme.size());
    auto value = environment_variable(name);
    if (!value)
      throw Error(Category::usage, fmt::format("{} '{}': there is no environment variable '{}'", flag, printable(word),
                                               printable(name)));
    return {*std::move(value), fmt::format("the key in '{}'", printable(word))};
  }
  if (!is_regular_file(word)) {
    throw Error(Category::usage,
                fmt::format("{} is neither the path of a file, nor env://NAME, nor a key in PEM", flag));
  }
  return {read_file(word, kMostKeyBytes), fmt::format("the key '{}'", printable(word))};
}

}  // namespace

SigningKey read_signing_key(const std::string& word, const char* flag, const CancelToken& cancel) {
  const auto key = key_of_word(word, flag);
  return SigningKey::parse(key.first, key.second, [&] { return ask_for_password(key.second, cancel); });
}

VerificationKey read_verification_key(const std::string& word, const char* flag) {
  const auto key = key_of_word(word, flag);
  return VerificationKey::parse(key.first, key.second);
}

std::optional<SigningKey> push_signing_key(const std::optional<std::string>& word, const CancelToken& cancel) {
  const char* source = word ? "--sign-key" : "KILN_SIGN_KEY";
  const std::string key = word ? *word : environment_variable("KILN_SIGN_KEY").value_or("");
  if (key.empty()) return std::nullopt;
  return read_signing_key(key, source, cancel);
}

std::optional<VerificationKey> wanted_verification_key(const std::optional<std::string>& word) {
  const std::string key = word ? *word : environment_variable("KILN_VERIFY_KEY").value_or("");
  if (key.empty()) return std::nullopt;
  return read_verification_key(key, word ? "--key" : "KILN_VERIFY_KEY");
}

PushSigning push_signing(const std::optional<std::string>& word, const CancelToken& cancel) {
  return {[word, cancel] { return push_signing_key(word, cancel); }, word && !word->empty()};
}

}  // namespace kiln::cli
