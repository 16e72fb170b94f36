#include "builder/cache/place_chain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

PlaceChain::PlaceChain(std::vector<CachePlace> places, EntrySignatures signatures, Log& log)
    : signatures_(std::move(signatures)), log_(log) {
  for (CachePlace& place : places) places_.push_back(std::make_unique<GuardedPlace>(std::move(place), log));
}

bool PlaceChain::is_read() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->reads(); });
}

bool PlaceChain::is_written() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->writes(); });
}

std::string PlaceChain::problem_of(const CacheEntry& entry, std::string_view media_type) const {
  if (entry.media_type != media_type)
    return fmt::format("it is of the kind '{}', expected '{}'", printable(entry.media_type), media_type);
  return signatures_.problem(entry);
}

std::vector<CacheFinding> PlaceChain::ask(GuardedPlace& place, std::span<const std::string> keys) {
  std::vector<CacheFinding> findings;
  const bool answered = place.read([&] { findings = place.backend().find(keys); });
  if (!answered) findings.assign(keys.size(), {});
  return findings;
}

std::vector<RemoteRepository> PlaceChain::written_repositories() const {
  std::vector<RemoteRepository> repositories;
  for (const auto& place : places_) {
    const auto repository = place->backend().repository();
    if (place->writes() && repository) repositories.push_back(*repository);
  }
  return repositories;
}

void PlaceChain::refuse_write_errors() const {
  for (const auto& place : places_) {
    const auto error = place->write_error();
    if (place->ignores_error() || !error) continue;
    throw Error(Category::network,
                fmt::format("shared cache {} could not be written: {}", place->name(), error->message()));
  }
}

void PlaceChain::sign(CacheEntry& entry) const {
  if (signatures_.can_sign()) entry.signature = signatures_.sign(entry);
}

}  // namespace kiln
