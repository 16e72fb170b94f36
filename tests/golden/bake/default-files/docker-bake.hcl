target "a" {
  args = { H = 1 }
}
group "default" {
  targets = ["a", "b"]
}
target "b" {}
