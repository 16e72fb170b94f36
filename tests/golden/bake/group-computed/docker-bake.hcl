variable "ALL" {
  default = ["a", "b"]
}
group "default" {
  targets = [for t in ALL: "app-${t}"]
}
target "app-a" {}
target "app-b" {}
