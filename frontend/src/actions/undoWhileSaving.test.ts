import { expect, it } from "vitest";
import { History } from "../core/history";
import { Journal } from "../core/journal";
import { MaskStore } from "../core/maskStore";
import { MemoryJournal } from "../core/memoryJournal";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { encodePatch } from "../core/rle";
import { LiveChanges } from "./liveChanges";
import { MaskSync } from "./maskSync";
import { itemFromRecord } from "./records";
import { maskRecord } from "./testingRecords";

const size = { width: 40, height: 30 };
const square = encodePatch(paintStroke(EMPTY_PATCH, [{ x: 10, y: 10 }], 4, 1, size), [size.height, size.width]);
const record = maskRecord("old", { segmentation: { size: [30, 40], counts: square.counts } });
const old = itemFromRecord(record);
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

it("undoes a correction although the server told of the old mask while the correction was being stored", async () => {
  const disk = new MemoryJournal();
  const writes: (() => void)[] = [];
  const { add } = disk;
  disk.add = async (op) => {
    await new Promise<void>((resolve) => writes.push(resolve));
    return add.call(disk, op);
  };
  const sent: string[] = [];
  const journal = new Journal({
    store: disk,
    userId: 7,
    send: async (op) => {
      sent.push(`${op.kind} ${op.maskId} < ${op.body?.parent}`);
      return { kind: "done" };
    },
    later: () => () => undefined,
  });
  const store = new MaskStore();
  const history = new History(store);
  store.setMask("old", old, "remote");
  const sync = new MaskSync({
    store,
    journal,
    imageId: 1,
    taskId: () => 9,
    newId: () => "back",
    onError: () => undefined,
  });
  const live = new LiveChanges({
    imageId: 1,
    me: "ann",
    store,
    journal,
    sync,
    ask: async () => ({ at: "now", masks: [record], task: null }),
    onHolder: () => undefined,
    onConnection: () => undefined,
    notice: () => undefined,
    later: () => () => undefined,
  });

  history.gesture("Correct", () => {
    store.setMask("old", { ...old, status: "superseded" });
    store.setMask("new", { ...old, id: "new", parent: "old" });
  });
  await live.look();
  expect(store.visible().map((item) => item.id)).toEqual(["new"]);
  history.undo();
  expect(store.visible().map((item) => item.id)).toEqual(["old"]);
  for (const write of writes) write();
  await settle();
  expect(sent).toEqual(["put new < old", "put back < new"]);
  live.close();
});
