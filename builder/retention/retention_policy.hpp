#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln {

// Which images of one repository a Retention keeps by their age alone.
//
// Of the images in order of their dates it keeps the last N, and the newest of each of the last N days, ISO weeks and
// months that have one; days are UTC's. Days without an image do not count, so a fleet that was not built for a year
// loses nothing. Each rule counts by itself: an image may be kept by several. An image without a date is kept, since
// its age is not known.

// For each image, in the order given, why it is kept ("last 2", "daily 2026-11-21", "weekly 2026-W47", "monthly
// 2026-11", "no date"); "" where nothing keeps it. Of two with the same date the one given first counts as the newer.
std::vector<std::string> kept_by_age(const Retention& retention, const std::vector<std::optional<UnixSeconds>>& dates);

// The time that a tag made from a template tells: its {date}, an eight-digit day standing alone ("20261121-1f00ab34",
// "pc2-20261121"), at 00:00 UTC. nullopt where the tag has none or several, or it is no day from 2000 to 2099.
std::optional<UnixSeconds> date_in_tag(std::string_view tag);

}  // namespace kiln
