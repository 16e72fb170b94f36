group "g" {
  targets = ["a"]
}
target "a" {}
target "default" {
  labels = { members = join(",", group.g.targets) }
}
