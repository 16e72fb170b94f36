target "base" {
  policy = ["filename=base.rego"]
}

target "default" {
  inherits = ["base"]
}
