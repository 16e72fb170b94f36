target "default" {
  args = { A = upper("a"), B = title("a b"), C = replace("a-b", "-", "_"), D = trimprefix("v1", "v"), E = format("%s-%03d", "x", 7), F = substr("hello", 1, 3), G = join(",", ["a", "b"]), H = element(split("/", "a/b"), 1), I = indent(2, "a\nb"), J = lower("ABC"), K = strlen("abc"), L = reverse("abc"), M = trimspace(" x ") }
}
