import { useMutation } from "@tanstack/react-query";
import { Info, ScrollText, Trash2, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { ImageRecord } from "../../api/types";
import { TextField } from "../kit/fields";
import { counted } from "../kit/format";
import { Button, Dialog, Note } from "../kit/kit";
import { useToast } from "../kit/toast";
import { keysOf, useAskAnew } from "../kit/useChange";
import { useDataset } from "./DatasetPage";
import { PictureDialog } from "./PictureDialog";
import { NO_RIGHTS, RightsFields, said } from "./RightsFields";

interface Props {
  chosen: readonly ImageRecord[];
  /** Every image of the dataset, whatever is shown. */
  all: boolean;
  chooseAll: (all: boolean) => void;
  leave: () => void;
}

type Open = "rights" | "remove" | "about" | null;

/** What can be done with the chosen pictures. */
export function SelectionBar({ chosen, all, chooseAll, leave }: Props) {
  const dataset = useDataset();
  const [open, setOpen] = useState<Open>(null);
  const number = all ? dataset.image_count : chosen.length;
  const [only] = chosen;
  return (
    <section className="card selection" aria-label="Chosen pictures">
      <b role="status">{counted(number, "picture")} chosen</b>
      <label className="row">
        <input type="checkbox" checked={all} onChange={(event) => chooseAll(event.target.checked)} />
        All of the dataset
      </label>
      <span className="grow" />
      {only && chosen.length === 1 && !all && (
        <Button size="small" icon={Info} onClick={() => setOpen("about")}>
          About this picture
        </Button>
      )}
      <Button size="small" icon={ScrollText} disabled={number === 0} onClick={() => setOpen("rights")}>
        Set rights
      </Button>
      <Button
        size="small"
        look="danger"
        icon={Trash2}
        disabled={chosen.length === 0 || all}
        onClick={() => setOpen("remove")}
      >
        Remove for good
      </Button>
      <Button size="small" look="quiet" icon={X} onClick={leave}>
        Stop choosing
      </Button>
      {open === "rights" && (
        <RightsDialog
          images={all ? null : chosen.map((image) => image.id)}
          number={number}
          close={() => setOpen(null)}
        />
      )}
      {open === "remove" && (
        <RemoveDialog
          images={chosen}
          close={(done) => {
            setOpen(null);
            if (done) leave();
          }}
        />
      )}
      {open === "about" && only && <PictureDialog imageId={only.id} close={() => setOpen(null)} />}
    </section>
  );
}

function useRefresh(): () => void {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  return () => void askAnew(keysOf(dataset.id, "images", "dataset", "statistics"));
}

function RightsDialog({ images, number, close }: { images: number[] | null; number: number; close: () => void }) {
  const dataset = useDataset();
  const toast = useToast();
  const refresh = useRefresh();
  const [rights, setRights] = useState(NO_RIGHTS);
  const set = useMutation({
    mutationFn: () => api.setRights(dataset.id, images, said(rights)),
    onSuccess: (answer) => {
      toast(`Rights of ${counted(answer.images, "picture")} are set`);
      refresh();
      close();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set.mutate();
  };
  return (
    <Dialog title={`Rights of ${counted(number, "picture")}`} onClose={close} wide>
      <form className="stack" onSubmit={submit}>
        {set.isError && <Note tone="bad">{messageOf(set.error)}</Note>}
        <p className="muted">What you leave empty stays as it is with each picture.</p>
        <RightsFields value={rights} change={setRights} />
        <Button type="submit" look="primary" busy={set.isPending} disabled={Object.keys(said(rights)).length === 0}>
          Set rights
        </Button>
      </form>
    </Dialog>
  );
}

function RemoveDialog({ images, close }: { images: readonly ImageRecord[]; close: (done: boolean) => void }) {
  const dataset = useDataset();
  const toast = useToast();
  const refresh = useRefresh();
  const [reason, setReason] = useState("");
  const masks = images.reduce((sum, image) => sum + image.mask_count, 0);
  const remove = useMutation({
    mutationFn: () =>
      api.removeForGood(
        dataset.id,
        images.map((image) => image.id),
        reason.trim(),
      ),
    onSuccess: (answer) => {
      toast(`${counted(answer.images, "picture")} removed for good`);
      refresh();
      close(true);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    remove.mutate();
  };
  return (
    <Dialog title={`Remove ${counted(images.length, "picture")} for good`} onClose={() => close(false)}>
      <form className="stack" onSubmit={submit}>
        {remove.isError && <Note tone="bad">{messageOf(remove.error)}</Note>}
        <p>
          The {images.length === 1 ? "picture goes" : "pictures go"} with {counted(masks, "mask")}, everything the model
          made of {images.length === 1 ? "it" : "them"}, training sets that hold {images.length === 1 ? "it" : "them"},
          and all written exports of this dataset. This cannot be undone. Who, when and why stay on record, and the same
          picture is refused later. Models that have learnt from it stay as they are.
        </p>
        <TextField
          label="Reason"
          hint="Stays on record. Name nobody in it."
          required
          maxLength={500}
          value={reason}
          onChange={setReason}
        />
        <Button type="submit" look="danger" busy={remove.isPending} disabled={reason.trim() === ""}>
          Remove for good
        </Button>
      </form>
    </Dialog>
  );
}
