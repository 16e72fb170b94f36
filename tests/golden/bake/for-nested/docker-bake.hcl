target "default" {
  tags = flatten([for r in ["r1", "r2"]: [for v in ["1", "2"]: "${r}/x:${v}"]])
}
