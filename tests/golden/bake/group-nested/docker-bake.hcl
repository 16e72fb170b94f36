group "default" {
  targets = ["all"]
}
group "all" {
  targets = ["b", "a"]
}
target "a" {}
target "b" {}
