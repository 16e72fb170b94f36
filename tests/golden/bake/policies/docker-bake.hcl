target "default" {
  policy = [
    "filename=first.rego,filename=second.rego,strict=T",
    { filename = "third.rego", reset = true, log-level = "WARN" },
    { strict = false },
  ]
}

target "without" {
  inherits = ["default"]
  policy   = [{ disabled = true }]
}

target "of-another" {
  policy = target.without.policy
}

group "default" {
  targets = ["default", "without", "of-another"]
}
