import { describe, expect, it, vi } from "vitest";
import type { ValuesAnswer } from "../api/types";
import { OwnValues } from "./ownValues";

const ANSWER: ValuesAnswer = {
  state: "ready",
  message: "",
  url: "/{channel}/{z}/{x}/{y}/",
  kind: "uint16",
  levels: 1,
  channels: [{ low: 0, high: 9, minimum: 0, maximum: 9 }],
  shown: [0],
  inverted: false,
};
const PENDING: ValuesAnswer = { ...ANSWER, state: "pending", url: null, kind: null, channels: [] };

function values(answers: (ValuesAnswer | Error)[], offered = true) {
  const again: boolean[] = [];
  const states: string[] = [];
  const own: OwnValues = new OwnValues({
    offered,
    ask: async (once) => {
      again.push(once);
      const answer = answers.shift() ?? PENDING;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    changed: () => states.push(own.state.kind),
  });
  return { own, again, states };
}

describe("a deep picture's own values", () => {
  it("are asked for once somebody looks, until they are ready", async () => {
    vi.useFakeTimers();
    const { own, again, states } = values([PENDING, PENDING, ANSWER]);
    expect(own.state).toEqual({ kind: "idle" });
    own.want();
    own.want();
    await vi.advanceTimersByTimeAsync(5000);
    vi.useRealTimers();
    expect([again.length, states]).toEqual([3, ["loading", "ready"]]);
    expect(own.state).toMatchObject({ kind: "ready", source: { kind: "uint16", shown: [0] } });
  });

  it("say why they are not there, and are tried again on request only", async () => {
    const { own, again } = values([{ ...PENDING, state: "failed", message: "The picture is damaged." }, ANSWER]);
    own.want();
    await vi.waitFor(() => expect(own.state).toEqual({ kind: "failed", message: "The picture is damaged." }));
    own.want();
    expect(again).toEqual([false]);
    own.want(true);
    await vi.waitFor(() => expect(own.state.kind).toBe("ready"));
    expect(again).toEqual([false, true]);
  });

  it("tell when the server cannot be reached", async () => {
    const { own } = values([new Error("The server cannot be reached.")]);
    own.want();
    await vi.waitFor(() => expect(own.state).toEqual({ kind: "failed", message: "The server cannot be reached." }));
  });

  it("are left alone where there are none, and after the image was left", async () => {
    const { own: none, again } = values([], false);
    none.want(true);
    expect([none.state.kind, again]).toEqual(["none", []]);
    const { own: left, states } = values([ANSWER]);
    left.want();
    left.close();
    await Promise.resolve();
    expect(states).toEqual(["loading"]);
  });
});
