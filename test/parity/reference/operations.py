"""Writes operations.json: outputs and gradients of every operation, computed by PyTorch in float64.

Each case holds the inputs, the attributes, the outputs, one random gradient per output, and what autograd
makes of them for every input (null for inputs that are not float). Inputs are exact float32 numbers.
"""

import math

import torch
import torch.nn.functional as F

from fixture import float32_text, output_folder, provenance, save_json

generator = torch.Generator().manual_seed(20)
cases = []


def normal(*shape, scale=1.0):
    return (torch.randn(shape, generator=generator) * scale).double()


def positive(*shape):
    return (torch.rand(shape, generator=generator) * 2.5 + 0.2).double()


def away_from_zero(*shape):
    x = torch.randn(shape, generator=generator)
    return torch.where(x < 0, x - 0.3, x + 0.3).double()


def booleans(*shape):
    return torch.rand(shape, generator=generator) < 0.6


def integers(*values):
    return torch.tensor(*values, dtype=torch.int64)


def stored(tensor):
    if tensor is None:
        return None
    kind = {torch.float64: "float32", torch.int64: "int64", torch.bool: "bool"}[tensor.dtype]
    number = float32_text if kind == "float32" else int
    return {"dtype": kind, "shape": list(tensor.shape), "data": [number(v) for v in tensor.detach().reshape(-1).tolist()]}


def case(operation, situation, inputs, function, **attributes):
    """Runs one case forward and backward and adds it to the table."""
    assert all(torch.equal(x, x.float().double()) for x in inputs if x.is_floating_point()), "inputs must be float32 numbers"
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    outputs = function(*leaves)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    output_gradients = [normal(*y.shape) for y in outputs]
    floats = [x for x in leaves if x.is_floating_point()]
    found = iter(torch.autograd.grad(outputs, floats, output_gradients))
    gradients = [next(found) if x.is_floating_point() else None for x in leaves]
    cases.append({
        "operation": operation,
        "situation": situation,
        "attributes": attributes,
        "inputs": [stored(x) for x in inputs],
        "outputs": [stored(y) for y in outputs],
        "outputGradients": [stored(g) for g in output_gradients],
        "inputGradients": [stored(g) for g in gradients],
    })


def arithmetic():
    shapes = [([2, 3, 4], [2, 3, 4]), ([2, 3, 4], [4]), ([4], [2, 3, 4]), ([2, 3, 4], [1, 3, 1]), ([2, 3, 4], []),
              ([], [2, 3]), ([3, 1], [1, 4]), ([2, 1, 3], [4, 1])]
    for name, function in [("Add", torch.add), ("Sub", torch.sub), ("Mul", torch.mul), ("Div", torch.div)]:
        for left, right in shapes:
            b = away_from_zero(*right) if name == "Div" else normal(*right)
            case(name, f"{left} and {right}", [normal(*left), b], function)


def elementwise():
    any_sign = {"Neg": torch.neg, "Exp": torch.exp, "Tanh": torch.tanh, "Erf": torch.erf, "Sigmoid": torch.sigmoid,
                "Sin": torch.sin, "Cos": torch.cos, "Silu": F.silu}
    for name, function in any_sign.items():
        case(name, "any sign", [normal(3, 5, scale=2.0)], function)
    for name, function in {"Log": torch.log, "Sqrt": torch.sqrt}.items():
        case(name, "positive", [positive(3, 5)], function)
    for name, function in {"Reciprocal": torch.reciprocal, "Abs": torch.abs, "Relu": torch.relu}.items():
        case(name, "both signs", [away_from_zero(3, 5)], function)
    for exponent in (2, 3):
        case("Pow", f"exponent {exponent}", [away_from_zero(3, 5)], lambda x: x.pow(exponent), exponent=exponent)
    case("Pow", "exponent 0.5", [positive(3, 5)], lambda x: x.pow(0.5), exponent=0.5)
    for approximate in ("none", "tanh"):
        case("Gelu", f"approximate {approximate}", [normal(4, 6, scale=2.0)],
             lambda x: F.gelu(x, approximate=approximate), approximate=approximate)
    case("Where", "equal shapes", [booleans(3, 4), normal(3, 4), normal(3, 4)], torch.where)
    case("Where", "all three broadcast", [booleans(1, 3, 1), normal(2, 1, 4), normal(4)], torch.where)
    case("Where", "scalar alternative", [booleans(2, 3), normal(2, 3), normal()], torch.where)


def reductions():
    for name, function in [("ReduceSum", torch.sum), ("ReduceMean", torch.mean), ("ReduceMax", torch.amax)]:
        for axes in ([-1], [0, 2], [1], [0, 1, 2]):
            for keepdims in (1, 0):
                case(name, f"axes {axes} keepdims {keepdims}", [normal(2, 3, 4)],
                     lambda x: function(x, dim=axes, keepdim=bool(keepdims)), axes=axes, keepdims=keepdims)


def matrix_products():
    plain = [([3, 4], [4, 5]), ([2, 3, 4], [4, 5]), ([2, 2, 3, 4], [2, 2, 4, 5]), ([2, 1, 3, 4], [1, 5, 4, 2]),
             ([3, 4], [2, 4, 5])]
    for left, right in plain:
        case("MatMul", f"{left} by {right}", [normal(*left), normal(*right)], torch.matmul)
    for trans_a, trans_b in [(0, 0), (1, 0), (0, 1), (1, 1)]:
        a = [2, 3, 5, 4] if trans_a else [2, 3, 4, 5]
        b = [2, 3, 6, 5] if trans_b else [2, 3, 5, 6]
        case("MatMul", f"transA {trans_a} transB {trans_b} alpha 0.37", [normal(*a), normal(*b)],
             lambda x, y: 0.37 * (x.mT if trans_a else x) @ (y.mT if trans_b else y),
             transA=trans_a, transB=trans_b, alpha=0.37)
    case("MatMul", "transB 1 with a broadcast batch", [normal(2, 1, 3, 4), normal(1, 5, 2, 4)],
         lambda x, y: x @ y.mT, transA=0, transB=1, alpha=1.0)
    gemms = [("weight [in, out]", [3, 4], [4, 5], 0, 0), ("weight [out, in]", [3, 4], [5, 4], 0, 1),
             ("left transposed", [4, 3], [4, 5], 1, 0), ("both transposed", [4, 3], [5, 4], 1, 1)]
    for situation, a, b, trans_a, trans_b in gemms:
        def product(x, y, *bias):
            return sum(bias, (x.T if trans_a else x) @ (y.T if trans_b else y))
        for bias in ([], [normal(5)]):
            case("Gemm", f"{situation}, {'bias' if bias else 'no bias'}", [normal(*a), normal(*b), *bias], product,
                 transA=trans_a, transB=trans_b, alpha=1.0, beta=1.0)
    case("Gemm", "alpha, beta and a full addend", [normal(3, 4), normal(4, 5), normal(3, 5)],
         lambda x, y, z: 0.5 * (x @ y) + 2.0 * z, transA=0, transB=0, alpha=0.5, beta=2.0)


def normalizations():
    for name, function in [("Softmax", F.softmax), ("LogSoftmax", F.log_softmax)]:
        for axis, scale in [(-1, 1.0), (1, 1.0), (-1, 30.0)]:
            case(name, f"axis {axis} scale {scale:g}", [normal(2, 3, 5, scale=scale)],
                 lambda x: function(x, dim=axis), axis=axis)
    for shape in ([4, 8], [2, 3, 8]):
        width = shape[-1]
        case("LayerNormalization", f"{shape} weight and bias", [normal(*shape, scale=2.0), normal(width), normal(width)],
             lambda x, w, b: F.layer_norm(x, [width], w, b, 1e-5), axis=-1, epsilon=1e-5)
        case("LayerNormalization", f"{shape} weight only", [normal(*shape, scale=2.0), normal(width)],
             lambda x, w: F.layer_norm(x, [width], w, None, 1e-5), axis=-1, epsilon=1e-5)


def cross_entropies():
    every = integers([3, 0, 10, 5, 3, 7])
    some = integers([3, -100, 10, 5, -100, 7])
    large = torch.where(booleans(6, 11), 80.0, -80.0).double() + normal(6, 11)
    for situation, logits, targets in [("all targets", normal(6, 11), every), ("two ignored", normal(6, 11), some),
                                       ("logits near ±80", large, every), ("logits near ±80, two ignored", large, some)]:
        for smoothing in (0.0, 0.1):
            for reduction in ("none", "mean"):
                case("SoftmaxCrossEntropy", f"{situation}, smoothing {smoothing}, {reduction}", [logits.float().double(), targets],
                     lambda x, t: F.cross_entropy(x, t, ignore_index=-100, reduction=reduction, label_smoothing=smoothing),
                     ignoreIndex=-100, labelSmoothing=smoothing, reduction=reduction)


def gathers():
    case("Gather", "embedding, ids of rank 1, duplicates", [normal(7, 4), integers([2, 5, 2, 0, 2])], lambda w, i: w[i], axis=0)
    case("Gather", "embedding, ids of rank 2, duplicates", [normal(7, 4), integers([[6, 1, 1], [0, 6, 1]])], lambda w, i: w[i], axis=0)
    case("Gather", "axis 1, ids of rank 1", [normal(3, 5, 2), integers([4, 0, 4])], lambda x, i: x[:, i], axis=1)
    case("Gather", "axis 1, scalar id", [normal(3, 5, 2), integers(3)], lambda x, i: x[:, i], axis=1)
    case("GatherElements", "axis -1, one a row", [normal(4, 6), integers([[5], [0], [3], [3]])],
         lambda x, i: x.gather(-1, i), axis=-1)
    case("GatherElements", "axis 1, duplicates", [normal(2, 4, 3), integers([[[0, 1, 2], [0, 3, 2]], [[3, 3, 3], [1, 0, 3]]])],
         lambda x, i: x.gather(1, i), axis=1)


def movements():
    for perm in ([1, 0, 2], [0, 2, 1], [2, 0, 1], [2, 1, 0]):
        case("Transpose", f"perm {perm}", [normal(2, 3, 4)], lambda x: x.permute(perm), perm=perm)
    case("Transpose", "heads", [normal(2, 3, 2, 4)], lambda x: x.permute(0, 2, 1, 3), perm=[0, 2, 1, 3])
    for shape in ([6, 4], [2, 3, 2, 2], [24]):
        case("Reshape", f"to {shape}", [normal(2, 3, 4)], lambda x: x.reshape(shape), shape=shape)
    case("Concat", "axis 1, three inputs", [normal(2, 3), normal(2, 1), normal(2, 4)], lambda *x: torch.cat(x, 1), axis=1)
    case("Concat", "axis -2", [normal(2, 1, 3), normal(2, 2, 3)], lambda *x: torch.cat(x, -2), axis=-2)
    case("Slice", "middle of axis 1", [normal(2, 6, 3)], lambda x: x[:, 2:5], starts=[2], ends=[5], axes=[1], steps=[1])
    case("Slice", "two axes", [normal(4, 6)], lambda x: x[1:3, 0:5], starts=[1, 0], ends=[3, 5], axes=[0, 1], steps=[1, 1])
    case("Slice", "negative start", [normal(4, 6)], lambda x: x[:, -2:6], starts=[-2], ends=[6], axes=[1], steps=[1])
    case("Slice", "step 2", [normal(3, 7)], lambda x: x[:, 1:7:2], starts=[1], ends=[7], axes=[1], steps=[2])
    case("Split", "three equal parts", [normal(2, 3, 6)], lambda x: x.split(2, -1), axis=-1, split=[2, 2, 2])
    case("Split", "unequal parts", [normal(5, 3)], lambda x: x.split([1, 4], 0), axis=0, split=[1, 4])
    for shape in ([3, 1], [1, 4], [4], [2, 3, 1]):
        case("Expand", f"{shape} to [2, 3, 4]", [normal(*shape)], lambda x: x.expand(2, 3, 4), shape=[2, 3, 4])
    case("Unsqueeze", "axes [1]", [normal(2, 3)], lambda x: x[:, None], axes=[1])
    case("Unsqueeze", "axes [0, 3]", [normal(2, 3)], lambda x: x[None, :, :, None], axes=[0, 3])
    case("Squeeze", "axes [1]", [normal(2, 1, 3)], lambda x: x.squeeze(1), axes=[1])
    case("Squeeze", "axes [0, 3]", [normal(1, 2, 3, 1)], lambda x: x.squeeze((0, 3)), axes=[0, 3])
    for upper, k in [(0, 0), (1, 0), (0, -1), (1, 1)]:
        case("Trilu", f"upper {upper} k {k}", [normal(2, 4, 4)],
             lambda x: x.triu(k) if upper else x.tril(k), upper=upper, k=k)


def compounds():
    for ratio in (0.2, 0.5):
        case("Dropout", f"ratio {ratio} with a given keep mask", [normal(3, 8), booleans(3, 8)],
             lambda x, keep: x * keep / (1 - ratio), ratio=ratio)
    for situation, queries, keys, causal in [("causal", 5, 5, True), ("full", 3, 5, False)]:
        case("ScaledDotProductAttention", f"{situation}, 2 heads",
             [normal(2, 2, queries, 4), normal(2, 2, keys, 4), normal(2, 2, keys, 4)],
             lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
             causal=causal, scale=1 / math.sqrt(4))


def root_mean_squares():
    for shape, epsilon in [([4, 8], 1e-6), ([2, 3, 8], 0.1)]:
        width = shape[-1]
        case("RMSNormalization", f"{shape} epsilon {epsilon:g}", [normal(*shape, scale=2.0), normal(width)],
             lambda x, w: F.rms_norm(x, [width], w, epsilon), axis=-1, epsilon=epsilon)


def main():
    for group in (arithmetic, elementwise, reductions, matrix_products, normalizations, cross_entropies, gathers,
                  movements, compounds, root_mean_squares):
        group()
    save_json(output_folder() / "operations.json", {"provenance": provenance(__file__), "cases": cases})


if __name__ == "__main__":
    main()
