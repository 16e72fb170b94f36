#pragma once

#include "builder/release/rollback_plan.hpp"

namespace kiln {

// A rollback of two images, one of which had the tag before.
inline RollbackPlan sample_plan() {
  RollbackPlan plan;
  plan.release = "v1";
  plan.registry = "ghcr.io/acme";
  plan.tag = "latest";
  plan.created = "2026-11-20T12:00:00Z";
  plan.health = {HealthCheck::Kind::command, "true", 5000};
  plan.moves = {{"app", "ghcr.io/acme/app", oci::sha256_of("old"), oci::sha256_of("new")},
                {"web", "ghcr.io/acme/web", std::nullopt, oci::sha256_of("web")}};
  return plan;
}

}  // namespace kiln
