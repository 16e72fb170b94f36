#include "builder/build/policy_look.hpp"

#include "builder/build/build.hpp"
#include "builder/build/policy_gate.hpp"
#include "builder/build/workshop.hpp"

namespace kiln {

std::vector<PolicyFinding> look_at_policy(const BuildRequest& request, const BuildSurroundings& surroundings) {
  const Plan plan = plan_request(request);
  const SecretValues secrets = plan.secrets;
  return secrets.guard([&] {
    Workshop shop(request.settings, surroundings, secrets);
    PolicyGate gate(shop, plan, request.fleet.settings.policy);
    gate.check_definitions(wanted_of(plan, request));
    shop.end_progress();
    return gate.findings();
  });
}

}  // namespace kiln
