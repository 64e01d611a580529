// The attention operators against a naive float64 implementation and its autograd.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <deque>
#include <limits>
#include <queue>

#include "check.h"
#include "core/ops/cpu/attention_plan.h"
#include "core/ops/ops.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

struct Shape {
  std::vector<int64_t> lengths;
  int64_t heads, kvHeads, headDim, window;
  double softCap = 0;
};

std::string name(const Shape& s) {
  return c10::str("rows ", at::IntArrayRef(s.lengths), ", heads ", s.heads, "/", s.kvHeads, ", head_dim ",
                  s.headDim, ", window ", s.window, ", soft cap ", s.softCap);
}

/// Which of `keys` the last `queries` positions may see: not later ones, and none `window` or more back.
Tensor seen(int64_t queries, int64_t keys, int64_t window) {
  const Tensor q = at::arange(keys - queries, keys).unsqueeze(1), k = at::arange(keys).unsqueeze(0);
  return window > 0 ? k.le(q).logical_and(k.gt(q - window)) : k.le(q);
}

/// One row: q [n, heads, d], k and v [keys, kvHeads, d] → [n, heads·d] and lse [heads, n].
std::tuple<Tensor, Tensor> naive(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                 int64_t window, double softCap) {
  const int64_t group = q.size(1) / k.size(1);
  const Tensor keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  Tensor scores = at::einsum("qhd,khd->hqk", {q, keys}) * scale;
  if (softCap > 0) scores = softCap * (scores / softCap).tanh();
  scores = scores.masked_fill(seen(q.size(0), k.size(0), window).logical_not(),
                              -std::numeric_limits<double>::infinity());
  return {at::einsum("hqk,khd->qhd", {scores.softmax(2), values}).reshape({q.size(0), -1}),
          scores.logsumexp(2)};
}

std::tuple<Tensor, Tensor> naiveRows(const Tensor& qkv, const Shape& s, double scale) {
  const Tensor all = qkv.view({qkv.size(0), s.heads + 2 * s.kvHeads, s.headDim});
  std::vector<Tensor> outs, lses;
  int64_t start = 0;
  for (const int64_t length : s.lengths) {
    const Tensor row = all.narrow(0, start, length);
    const auto [out, lse] = naive(row.narrow(1, 0, s.heads), row.narrow(1, s.heads, s.kvHeads),
                                  row.narrow(1, s.heads + s.kvHeads, s.kvHeads), scale, s.window, s.softCap);
    outs.push_back(out), lses.push_back(lse);
    start += length;
  }
  return {at::cat(outs), at::cat(lses, 1)};
}

/// Tokens of the longest row.
int64_t longestOf(const Tensor& cuSeqlens) { return cuSeqlens.diff().max().item<int64_t>(); }

Tensor cuSeqlensOf(const Shape& s) {
  std::vector<int64_t> cu = {0};
  for (const int64_t length : s.lengths) cu.push_back(cu.back() + length);
  return at::tensor(cu, at::kInt);
}

void compare(const Shape& s, at::ScalarType type, double tolerance) {
  const Tensor cu = cuSeqlensOf(s);
  const int64_t tokens = cu[-1].item<int64_t>(), width = (s.heads + 2 * s.kvHeads) * s.headDim;
  const double scale = 1.3 / std::sqrt(static_cast<double>(s.headDim));
  const Tensor given = normal({tokens, width}, 11).to(type),
               dOut = normal({tokens, s.heads * s.headDim}, 12).to(type);
  const Tensor exact = given.to(at::kDouble).requires_grad_(true);
  const auto [expected, expectedLse] = naiveRows(exact, s, scale);
  const Tensor dExpected = torch::autograd::grad({expected}, {exact}, {dOut.to(at::kDouble)})[0];

  const auto [out, lse] =
      ops::attention(given, cu, longestOf(cu), s.heads, s.kvHeads, scale, s.window, s.softCap);
  checkClose(out, expected, tolerance, "output, " + name(s));
  checkClose(lse, expectedLse, tolerance, "lse, " + name(s));
  const Tensor dQkv = ops::attentionBackward(dOut, given, out, lse, cu, longestOf(cu), s.heads, s.kvHeads,
                                             scale, s.window, s.softCap);
  check(dQkv.scalar_type() == type, "gradients in the type of the activations");
  // Each of dq, dk and dv on its own: a large one must not hide a wrong small one.
  const int64_t q = s.heads * s.headDim, kv = s.kvHeads * s.headDim;
  checkClose(dQkv.narrow(1, q + kv, kv), dExpected.narrow(1, q + kv, kv), tolerance, "dv, " + name(s));
  if (s.window == 1) {  // each token sees itself alone, whatever its score
    checkNear(dQkv.narrow(1, 0, q + kv).abs().max().item<double>(), 0, tolerance, "dq and dk, " + name(s));
    return;
  }
  // They come of differences of numbers of about 1, each rounded to float32, and may be much smaller.
  const auto checkScored = [&](int64_t first, int64_t count, const std::string& what) {
    const Tensor wanted = dExpected.narrow(1, first, count);
    const double rounding = std::numeric_limits<float>::epsilon() / wanted.abs().max().item<double>();
    checkClose(dQkv.narrow(1, first, count), wanted, std::max(tolerance, rounding), what + name(s));
  };
  checkScored(0, q, "dq, ");
  checkScored(q, kv, "dk, ");
}

const std::vector<Shape> kShapes = {
    {{2}, 1, 1, 2, 0},
    {{1, 5, 1, 17}, 4, 4, 8, 0},
    {{7, 3}, 6, 1, 12, 0},
    {{33, 1, 20}, 4, 2, 20, 0},
    {{128}, 2, 1, 16, 0},
    {{129, 1, 300}, 4, 2, 16, 0},
    {{257, 128, 5}, 2, 2, 64, 0},
    {{40, 3}, 4, 2, 8, 1},
    {{40, 3}, 4, 2, 8, 7},
    {{300, 130, 1}, 2, 1, 16, 5},
    {{300, 130}, 2, 1, 16, 128},
    {{300, 200}, 2, 2, 16, 131},
    {{150, 20}, 2, 1, 16, 1000},
    {{1, 40, 7}, 4, 2, 12, 0, 1.5},
    {{300, 130}, 2, 1, 16, 0, 0.7},
    {{200, 20}, 4, 2, 16, 30, 20},
    // Keys in several parts, of which a window leaves some out.
    {{1300, 2}, 2, 1, 8, 0},
    {{1300}, 2, 2, 8, 300},
    {{700, 900}, 4, 1, 8, 40, 3},
};

/// The share of the time of `threads` threads that is work, where the cost of a tile is its entries: each
/// takes the first task that can run.
double busyShare(const std::vector<cpu::AttentionTile>& tiles, const cpu::SharedSums& sums, int64_t threads) {
  using Ended = std::pair<int64_t, int64_t>;  // when, which
  std::priority_queue<Ended, std::vector<Ended>, std::greater<>> running;
  std::deque<int64_t> ready;
  std::vector<int64_t> waitsFor;
  for (int64_t task = 0; task < sums.size(); task++) {
    waitsFor.push_back(sums.predecessors(task));
    if (waitsFor.back() == 0) ready.push_back(task);
  }
  int64_t now = 0, work = 0;
  while (!ready.empty() || !running.empty()) {
    while (!ready.empty() && static_cast<int64_t>(running.size()) < threads) {
      const int64_t cost = tiles[ready.front()].queries * tiles[ready.front()].keys;
      running.push({now + cost, ready.front()});
      work += cost;
      ready.pop_front();
    }
    const auto [end, task] = running.top();
    running.pop();
    now = end;
    for (int i = 0; i < 2; i++) {
      const int64_t successor = sums.successors(task)[i];
      if (successor >= 0 && --waitsFor[successor] == 0) ready.push_back(successor);
    }
  }
  return static_cast<double>(work) / static_cast<double>(now * threads);
}

}  // namespace

TEST("attention: forward and backward in float32") {
  for (const Shape& s : kShapes) compare(s, at::kFloat, 3e-6);
}

TEST("attention: the same to the bit on any number of threads") {
  const int before = at::get_num_threads();
  const auto type = at::kFloat;
  for (const Shape& s : std::vector<Shape>{{{1500}, 1, 1, 32, 0},
                                           {{1500}, 4, 1, 32, 0},
                                           {{900, 300, 5}, 4, 2, 32, 0},
                                           {{1500}, 2, 1, 32, 200},
                                           {{100}, 1, 1, 64, 0},
                                           {std::vector<int64_t>(40, 200), 8, 4, 16, 0}}) {
    for (const double dropout : {0.0, 0.3}) {
      const Tensor cu = cuSeqlensOf(s);
      const Tensor qkv = normal({cu[-1].item<int64_t>(), (s.heads + 2 * s.kvHeads) * s.headDim}, 5).to(type),
                   dOut = normal({qkv.size(0), s.heads * s.headDim}, 6).to(type);
      const auto run = [&](int threads) {
        at::set_num_threads(threads);
        const auto [out, lse] =
            ops::attention(qkv, cu, longestOf(cu), s.heads, s.kvHeads, 0.2, s.window, s.softCap, dropout, 17);
        return std::tuple{out, lse,
                          ops::attentionBackward(dOut, qkv, out, lse, cu, longestOf(cu), s.heads, s.kvHeads,
                                                 0.2, s.window, s.softCap, dropout, 17)};
      };
      const auto [out, lse, dQkv] = run(1);
      for (const int threads : {2, 3, 5}) {
        const auto [outNow, lseNow, dQkvNow] = run(threads);
        const std::string what = c10::str(" on ", threads, " threads, dropout ", dropout, ", ", name(s));
        checkSame(outNow, out, "output" + what);
        checkSame(lseNow, lse, "lse" + what);
        checkSame(dQkvNow, dQkv, "gradients" + what);
      }
    }
  }
  at::set_num_threads(before);
}

TEST("attention: few rows and heads are work for many threads") {
  struct Case {
    Shape shape;
    std::vector<std::pair<int64_t, double>> atLeast;  ///< threads, and the share of their time that is work
  };
  const std::vector<Case> cases = {{{{4096}, 1, 1, 64, 0}, {{2, 0.99}, {4, 0.98}, {16, 0.95}, {64, 0.25}}},
                                   {{{4096}, 4, 1, 256, 0}, {{2, 0.99}, {4, 0.98}, {16, 0.95}, {64, 0.9}}},
                                   {{{32768}, 1, 1, 64, 0}, {{16, 0.98}, {64, 0.9}}},
                                   {{{32768}, 1, 1, 64, 512}, {{16, 0.95}, {64, 0.8}}},
                                   {{{600, 500, 700, 400}, 9, 3, 64, 0}, {{16, 0.9}, {64, 0.6}}}};
  for (const auto& [shape, atLeast] : cases) {
    const Tensor cu = cuSeqlensOf(shape);
    const std::vector<int64_t> cuSeqlens(cu.const_data_ptr<int32_t>(),
                                         cu.const_data_ptr<int32_t>() + cu.numel());
    const auto forward = cpu::forwardTiles(cuSeqlens, shape.heads, 0, shape.window);
    const auto backward = cpu::backwardPlan(cuSeqlens, shape.heads, shape.kvHeads, shape.window);
    cpu::SharedSums apart(2 * static_cast<int64_t>(forward.size()));
    for (size_t i = 0; i < forward.size(); i++) apart.add(2 * i, 2 * i + 1);
    for (const auto& [threads, share] : atLeast) {
      const double forwardShare = busyShare(forward, apart, threads),
                   backwardShare = busyShare(backward.tiles, backward.sums, threads);
      check(forwardShare >= share, c10::str("forward ", forwardShare, " on ", threads, ", ", name(shape)));
      check(backwardShare >= share, c10::str("backward ", backwardShare, " on ", threads, ", ", name(shape)));
    }
  }
}

TEST("attention: an error in one of several tasks ends them all") {
  cpu::SharedSums sums(3);
  for (int i = 0; i < 50; i++) sums.add(i % 2, 2);
  checkFails("INVALID_INPUT", "no task 20", [&] {
    sums.run([](int64_t task) {
      if (task == 20) fail("INVALID_INPUT", "Expected no task 20.");
    });
  });
}

TEST("attention: a row of one token is its own value") {
  const Tensor qkv = normal({1, 3 * 8}, 4).to(at::kFloat);
  const auto [out, lse] = ops::attention(qkv, at::tensor({0, 1}, at::kInt), 1, 1, 1, 0.5, 0, 0);
  checkClose(out, qkv.narrow(1, 16, 8), 1e-6, "output");
  const Tensor dQkv = ops::attentionBackward(at::ones({1, 8}), qkv, out, lse, at::tensor({0, 1}, at::kInt), 1,
                                             1, 1, 0.5, 0, 0);
  checkNear(dQkv.narrow(1, 0, 16).abs().max().item<double>(), 0, 1e-6, "gradient of q and k");
}

TEST("attention: forward and backward in bfloat16") {
  for (const Shape& s : kShapes) compare(s, at::kBFloat16, 2e-2);
}

TEST("attention: no row sees another") {
  const Shape s{{50, 140, 9}, 4, 2, 16, 0};
  const Tensor cu = cuSeqlensOf(s), qkv = normal({199, 8 * 16}, 21).to(at::kFloat);
  const auto [packed, lse] = ops::attention(qkv, cu, longestOf(cu), 4, 2, 0.25, 0, 0);
  Tensor changed = qkv.clone();
  changed.narrow(0, 50, 140).mul_(-3);
  const auto [other, otherLse] = ops::attention(changed, cu, longestOf(cu), 4, 2, 0.25, 0, 0);
  checkSame(other.narrow(0, 0, 50), packed.narrow(0, 0, 50), "first row");
  checkSame(other.narrow(0, 190, 9), packed.narrow(0, 190, 9), "last row");
  check(!other.narrow(0, 50, 140).equal(packed.narrow(0, 50, 140)), "the changed row to change");
}

TEST("attention: no token sees a later one") {
  const Tensor cu = at::tensor({0, 260}, at::kInt), qkv = normal({260, 4 * 16}, 22).to(at::kFloat);
  const auto [before, lse] = ops::attention(qkv, cu, longestOf(cu), 2, 1, 0.25, 0, 0);
  for (const int64_t position : {1, 127, 128, 200}) {
    Tensor changed = qkv.clone();
    changed.narrow(0, position, 260 - position).mul_(-3);
    const auto [after, otherLse] = ops::attention(changed, cu, longestOf(cu), 2, 1, 0.25, 0, 0);
    checkClose(after.narrow(0, 0, position), before.narrow(0, 0, position), 1e-6, "output before the change");
  }
}

TEST("attention: scores far from zero stay finite") {
  const Tensor cu = at::tensor({0, 20}, at::kInt), qkv = normal({20, 3 * 16}, 23).to(at::kFloat) * 60;
  const auto [out, lse] = ops::attention(qkv, cu, longestOf(cu), 1, 1, 1, 0, 0);
  const auto [expected, expectedLse] = naiveRows(qkv.to(at::kDouble), {{20}, 1, 1, 16, 0, 0}, 1);
  checkClose(out, expected, 1e-4, "output");
  checkClose(lse, expectedLse, 1e-5, "lse");
}

TEST("attention with a cache: the last queries of a longer row") {
  for (const auto& [keys, queries, window] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 0},
                                                          {9, 1, 0},
                                                          {9, 9, 0},
                                                          {200, 130, 0},
                                                          {300, 1, 0},
                                                          {300, 140, 20},
                                                          {300, 1, 20},
                                                          {64, 3, 1}}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (const double softCap : {0.0, 2.0}) {
        const Tensor q = normal({queries, 6, 12}, 31).to(type), k = normal({keys, 2, 12}, 32).to(type),
                     v = normal({keys, 2, 12}, 33).to(type);
        const auto [expected, lse] =
            naive(q.to(at::kDouble), k.to(at::kDouble), v.to(at::kDouble), 0.3, window, softCap);
        checkClose(std::get<0>(ops::attentionCached(q, k, v, 0.3, window, softCap)), expected,
                   type == at::kFloat ? 3e-6 : 2e-2,
                   c10::str("output of ", queries, " queries on ", keys, " keys, window ", window,
                            ", soft cap ", softCap));
      }
    }
  }
}

TEST("attention of the next token: several rows, each as alone") {
  const std::vector<int64_t> lengths = {1, 9, 700, 1100, 64};
  for (const auto& [window, softCap] : std::vector<std::pair<int64_t, double>>{{0, 0}, {600, 0}, {20, 2}}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const Tensor q = normal({5, 6, 20}, 31).to(type);
      std::vector<Tensor> k, v, lses;
      for (size_t r = 0; r < lengths.size(); r++) {
        k.push_back(normal({lengths[r], 2, 20}, 40 + r).to(type));
        v.push_back(normal({lengths[r], 2, 20}, 50 + r).to(type));
      }
      const auto [out, lse] = ops::attendNext(q, k, v, 0.3, window, softCap);
      for (int64_t r = 0; r < 5; r++) {
        const Tensor own = q.narrow(0, r, 1);
        const auto [expected, expectedLse] =
            naive(own.to(at::kDouble), k[r].to(at::kDouble), v[r].to(at::kDouble), 0.3, window, softCap);
        checkClose(out.narrow(0, r, 1), expected, type == at::kFloat ? 3e-6 : 2e-2, "output");
        checkClose(lse.narrow(1, r, 1), expectedLse, 1e-5, "lse");
        const auto [alone, lseAlone] = ops::attendNext(own, {k[r]}, {v[r]}, 0.3, window, softCap);
        checkSame(out.narrow(0, r, 1), alone, "output of a row by itself");
      }
    }
  }
}
