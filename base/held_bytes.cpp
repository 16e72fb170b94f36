#include "base/held_bytes.hpp"

#include <array>
#include <atomic>

namespace kiln {

namespace {

struct Account {
  const char* name;
  std::atomic<std::uint64_t> now{0};
  std::atomic<std::uint64_t> most{0};
};

// In the order of BufferOwner.
std::array<Account, 6> accounts{
    {{"compression"}, {"decompression"}, {"read-ahead"}, {"unpacking"}, {"file indexes"}, {"transfers"}}};

Account& account_of(BufferOwner owner) { return accounts[static_cast<std::size_t>(owner)]; }

}  // namespace

const char* to_string(BufferOwner owner) { return account_of(owner).name; }

void HeldBytes::set(std::uint64_t bytes) noexcept {
  Account& account = account_of(owner_);
  // Unsigned arithmetic wraps, so that one addition serves both ways.
  const std::uint64_t now = account.now.fetch_add(bytes - bytes_) + (bytes - bytes_);
  bytes_ = bytes;
  std::uint64_t most = account.most.load();
  while (now > most && !account.most.compare_exchange_weak(most, now)) {
  }
}

std::vector<HeldMark> held_marks() {
  std::vector<HeldMark> marks;
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    marks.push_back({static_cast<BufferOwner>(i), accounts[i].now.load(), accounts[i].most.load()});
  }
  return marks;
}

}  // namespace kiln
