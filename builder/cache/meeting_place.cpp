#include "builder/cache/meeting_place.hpp"

#include <span>

namespace kiln {

MeetingPlace::MeetingPlace(const PlaceChain& chain) : chain_(chain) {
  for (const auto& place : chain.places()) {
    if (place->reads() && place->writes()) place_ = place.get();
  }
}

std::optional<CacheEntry> MeetingPlace::find(const std::string& key, std::string_view media_type) {
  if (!place_) return std::nullopt;
  std::vector<CacheFinding> findings = PlaceChain::ask(*place_, std::span(&key, 1));
  if (!findings[0].entry || !chain_.problem_of(*findings[0].entry, media_type).empty()) return std::nullopt;
  return std::move(findings[0].entry);
}

bool MeetingPlace::put(CacheEntry entry, WriteKind kind) {
  if (!place_) return false;
  chain_.sign(entry);
  return place_->write(kind, [&] { place_->backend().put(entry); });
}

bool MeetingPlace::remove(const std::string& key, std::string_view media_type) {
  if (!place_) return false;
  CacheEntry entry;
  entry.key = key;
  entry.media_type = std::string(media_type);
  bool removed = false;
  place_->write(WriteKind::withdrawing, [&] { removed = place_->backend().remove(entry); });
  return removed;
}

}  // namespace kiln
