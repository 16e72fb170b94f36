#include "registry/store/seen_places.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/oci/reference.hpp"
#include "registry/store/remembered_layers.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostPlaceBytes = 16384;

fs::path file_of(const ContentStore& store, const oci::Digest& blob) {
  return store.home().seen_places() / std::string(blob.hex());
}

// Without what is no place, and no more than are kept: the file may be damaged, and its words go into requests.
std::vector<std::string> places_in(const fs::path& file) {
  const auto text = read_note(file, kMostPlaceBytes);
  std::vector<std::string> places;
  if (!text) return places;
  std::map<std::string_view, std::size_t> of_registries;
  for (const std::string_view line : split(*text, '\n')) {
    const std::size_t slash = line.find('/');
    if (slash == 0 || slash == std::string_view::npos) continue;
    if (!oci::is_valid_repository(line.substr(slash + 1))) continue;
    if (std::find(places.begin(), places.end(), line) != places.end()) continue;
    if (++of_registries[line.substr(0, slash)] > kMostSeenPlacesOfRegistry) continue;
    places.emplace_back(line);
    if (places.size() == kMostSeenPlaces) break;
  }
  return places;
}

bool is_of(const std::string& place, const std::string& registry) { return place.starts_with(registry + "/"); }

// The oldest of a registry that has too many, then the oldest of all.
void leave_out_oldest(std::vector<std::string>& places, const std::string& registry) {
  const auto own = [&](const std::string& place) { return is_of(place, registry); };
  if (static_cast<std::size_t>(std::count_if(places.begin(), places.end(), own)) > kMostSeenPlacesOfRegistry)
    places.erase(std::find_if(places.rbegin(), places.rend(), own).base() - 1);
  if (places.size() > kMostSeenPlaces) places.pop_back();
}

}  // namespace

std::vector<std::string> seen_places(const ContentStore& store, const oci::Digest& blob) {
  return places_in(file_of(store, blob));
}

std::vector<std::string> seen_repositories(const ContentStore& store, const oci::Digest& blob,
                                           const std::string& registry) {
  std::vector<std::string> repositories;
  for (const std::string& place : places_in(file_of(store, blob))) {
    if (is_of(place, registry)) repositories.push_back(place.substr(registry.size() + 1));
  }
  return repositories;
}

void note_seen_place(const ContentStore& store, const oci::Digest& blob, const std::string& registry,
                     const std::string& repository, Seen seen) {
  try {
    const fs::path file = file_of(store, blob);
    const std::string place = registry + "/" + repository;
    std::vector<std::string> places = places_in(file);
    const auto known = std::find(places.begin(), places.end(), place);
    const auto of_registry =
        std::count_if(places.begin(), places.end(), [&](const std::string& other) { return is_of(other, registry); });
    const bool is_full = static_cast<std::size_t>(of_registry) >= kMostSeenPlacesOfRegistry;
    if (seen == Seen::there && (known != places.end() || is_full)) return;
    if (known != places.end()) places.erase(known);
    places.insert(places.begin(), place);
    leave_out_oldest(places, registry);
    make_directories(store.home().seen_places());  // homes of before there were any
    write_file_atomically(file, join(places, "\n") + "\n", Durability::ephemeral);
  } catch (const Error& error) {
    // It only spares an upload.
    if (error.category() != Category::machine) throw;
  }
}

}  // namespace kiln
