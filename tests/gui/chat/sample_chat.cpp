// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/chat/sample_chat.h"

namespace lockstep::samples {

QString codeAnswer() {
    return QStringLiteral(
        R"(RMSNorm divides each row by its root mean square, then scales it by a learned weight. There is **no mean subtraction** and no bias, which is why it is cheaper than LayerNorm.

## The kernel

One block a row. Each thread sums its share of `x[i] * x[i]`, the block reduces, and every thread writes its share back:

```cuda
// y = x / sqrt(mean(x * x) + eps) * weight
template <int kThreads>
__global__ void rms_norm(const bf16* x, const bf16* weight, bf16* y, int hidden_size, float eps) {
    const int row = blockIdx.x;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < hidden_size; i += kThreads) {
        const float value = __bfloat162float(x[row * hidden_size + i]);
        sum += value * value;
    }
    sum = block_sum<kThreads>(sum);  // "all threads get it"
    const float scale = rsqrtf(sum / hidden_size + eps);
    for (int i = threadIdx.x; i < hidden_size; i += kThreads) {
        y[row * hidden_size + i] = __float2bfloat16(__bfloat162float(x[row * hidden_size + i]) * scale * __bfloat162float(weight[i]));
    }
}
```

Three things go wrong most often:

1. **`eps` hard-coded.** Models use 1e-5 and 1e-6; read it from the config.
2. **Strides ignored.** A slice of a fused projection is not contiguous:
   - check `stride(-1) == 1`,
   - pass the row stride.
3. **The sum in bf16.** Accumulate in fp32.

Compare it with the reference before you trust it:

```python
def check(fused, reference, x, weight, eps=1e-6):
    """Both see the same inputs."""
    got, want = fused(x, weight, eps), reference(x, weight, eps)
    torch.testing.assert_close(got, want, atol=1e-3, rtol=1e-3)
```

| dtype | atol | rtol | notes |
|-------|-----:|-----:|-------|
| fp32  | 1e-5 | 1.3e-6 | exact enough |
| bf16  | 1e-5 | 1.6e-2 | two roundings |

> A kernel that passes its own test can still be wrong in the model: look at the strides it is called with.

See [the flash-attention tests](https://github.com/Dao-AILab/flash-attention) for the rule on rounding.
)");
}

QString listAnswer() {
    return QStringLiteral(R"(Do it in this order:

3. Build it:

   ```sh
   cmake --preset release && cmake --build --preset release
   ```

4. Run the tests
   - all of them with `ctest`
   - [x] one that passed
   - [ ] one to do
     * deeper still
5. Read the figures.

---

Text with <b>HTML</b>, an ![image](https://example.org/pixel.png) and ~~struck~~ words.
)");
}

QString rightToLeft() {
    return QStringLiteral(
        "النواة المدمجة RMSNorm تحسب الجذر التربيعي للمتوسط ثم تقسم كل صف عليه.\n\n"
        "- العنصر الأول\n- العنصر الثاني مع `code`\n\n"
        "הטקסט הזה נכתב בעברית, עם kernel באמצע.");
}

QVector<ChatTurn> shortChat() {
    const AnswerStats stats{412, 53.24, 0.213, QStringLiteral("fused"),
                            QStringLiteral("end_of_text")};
    return {
        {.author = TurnAuthor::user,
         .text = QStringLiteral("Write a fused RMSNorm kernel, and tell me what to look out for.")},
        {.author = TurnAuthor::assistant, .text = codeAnswer(), .stats = stats}};
}

QVector<ChatTurn> longChat(int messages) {
    QVector<ChatTurn> turns;
    for (int i = 0; i < messages / 2; ++i) {
        turns.append({.author = TurnAuthor::user,
                      .text = QStringLiteral("Question %1: how does this kernel work?").arg(i)});
        AnswerStats stats{500 + i, 50.0 + i % 7, 0.2, QStringLiteral("fused"),
                          QStringLiteral("end_of_text")};
        turns.append({.author = TurnAuthor::assistant,
                      .text = QStringLiteral("Answer %1.\n\n").arg(i) + codeAnswer(),
                      .stats = stats});
    }
    return turns;
}

QString longAnswer(int characters) {
    QString text;
    while (text.size() < characters) text += codeAnswer() + listAnswer();
    return text;
}

}  // namespace lockstep::samples
