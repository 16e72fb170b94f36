#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "builder/cache/build_record.hpp"
#include "builder/packages/advice.hpp"

namespace kiln {

// What is known of layers of past builds; nullopt where the store has forgotten them.
struct LayerFacts {
  std::set<oci::Digest> published;  // diff IDs of the newest images' layers
  std::function<std::optional<std::uint64_t>(const oci::Digest& diff_id)> compressed_bytes;
  // Whether two layers hold the same but for times, and for bytecode, which holds times.
  std::function<std::optional<bool>(const oci::Digest& before, const oci::Digest& after)> is_same_content;
};

// Lines whose order moves bytes needlessly, from the recorded builds of a fleet (oldest first): a line changed, and a
// line below it was executed again for that alone and came to the same files in other layers. Had it stood above, its
// layers would have been hits. Looked at are targets that `newest` names, in the stages whose layers they publish.
//
// An update is a build of a target that came to other layers than the one before. `update_bytes` is what the updates
// moved needlessly, divided by their number, to the next byte below; `fleet_bytes` all of it, each layer once. Linear
// in steps. In no order.
std::vector<Advice> order_advice(const std::vector<BuildRecord>& records,
                                 const std::vector<const BuildRecordTarget*>& newest, const LayerFacts& facts);

}  // namespace kiln
