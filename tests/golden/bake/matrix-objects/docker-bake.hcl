target "app" {
  matrix = {
    item = [
      { v = "1.0", os = "a" },
      { v = "2.0", os = "b" },
    ]
  }
  name = "app-${replace(item.v, ".", "-")}-${item.os}"
  args = { V = item.v }
  tags = ["x/app:${item.v}"]
}
group "default" {
  targets = ["app"]
}
