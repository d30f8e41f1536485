import { CheckCheck, EllipsisVertical, ListX, PencilLine } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { type FormEvent, useState } from "react";
import type { EditorSession } from "../../../actions/editorSession";
import type { VideoDesk } from "../../../actions/videoDesk";
import type { Track } from "../../../core/timeline";
import { TextField } from "../../kit/fields";
import { counted } from "../../kit/format";
import { Button, Dialog } from "../../kit/kit";
import { useDesk } from "../useVideoDesk";

interface TrackMenuProps {
  desk: VideoDesk;
  track: Track;
  name: string;
}

/** What can be done with a track as a whole. */
export function TrackMenu({ desk, track, name }: TrackMenuProps) {
  const [asking, setAsking] = useState<"rename" | "accept" | "end" | null>(null);
  const session = useDesk(desk, (state) => state.session);
  const close = () => setAsking(null);
  return (
    <>
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger
          className="button button--quiet button--icon film-track__menu"
          aria-label={`More on ${name}`}
        >
          <EllipsisVertical size={15} aria-hidden />
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
            <DropdownMenu.Item className="menu__item" onSelect={() => setAsking("rename")}>
              <PencilLine size={16} aria-hidden />
              Name of the track
            </DropdownMenu.Item>
            <DropdownMenu.Item className="menu__item" disabled={!session} onSelect={() => setAsking("accept")}>
              <CheckCheck size={16} aria-hidden />
              Accept up to this frame
            </DropdownMenu.Item>
            <DropdownMenu.Item className="menu__item" onSelect={() => setAsking("end")}>
              <ListX size={16} aria-hidden />
              End the track
            </DropdownMenu.Item>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {asking === "rename" && <RenameDialog desk={desk} track={track} onClose={close} />}
      {asking === "accept" && session && (
        <AcceptDialog desk={desk} session={session} track={track} name={name} onClose={close} />
      )}
      {asking === "end" && <EndDialog desk={desk} track={track} name={name} onClose={close} />}
    </>
  );
}

function RenameDialog({ desk, track, onClose }: { desk: VideoDesk; track: Track; onClose: () => void }) {
  const [category, setCategory] = useState(track.category);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onClose();
    void desk.tracks.rename(track.id, category.trim());
  };
  return (
    <Dialog title="Name of the track" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <TextField
          label="Category"
          hint="Every mask of the track gets it."
          maxLength={200}
          value={category}
          onChange={setCategory}
        />
        <div className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary">
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** No undo covers several frames: the question is asked instead. */
function AcceptDialog({
  desk,
  session,
  track,
  name,
  onClose,
}: TrackMenuProps & { session: EditorSession; onClose: () => void }) {
  const { timeline, playhead } = desk;
  const masks = timeline.proposedUpTo(track, playhead.opened);
  const first = masks[0] ? (timeline.placeOf(masks[0].image) ?? 0) : 0;
  return (
    <Dialog title={`Accept ${name} up to this frame?`} onClose={onClose}>
      <div className="stack">
        <p>
          {masks.length === 0
            ? "Nothing is proposed between the accepted mask before and this frame."
            : `${counted(masks.length, "proposed mask")} on frames ${first + 1} to ${playhead.opened + 1} will count as they are, in your name. ` +
              "Play them first: what is wrong can only be corrected or deleted one by one afterwards."}
        </p>
        <div className="dialog__actions">
          <Button onClick={onClose}>{masks.length === 0 ? "Close" : "Cancel"}</Button>
          {masks.length > 0 && (
            <Button
              look="primary"
              onClick={() => {
                onClose();
                void desk.tracks.acceptUpTo(session, track);
              }}
            >
              Accept {counted(masks.length, "mask")}
            </Button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

/** No undo brings a track back. */
function EndDialog({ desk, track, name, onClose }: TrackMenuProps & { onClose: () => void }) {
  const proposed = track.masks.filter((mask) => mask.status === "proposed").length;
  const end = (discard: boolean) => {
    onClose();
    void desk.tracks.end(track.id, discard);
  };
  return (
    <Dialog title={`End ${name}?`} onClose={onClose}>
      <div className="stack">
        <p>
          Its masks no longer belong together. Accepted masks stay on their frames
          {proposed > 0 ? `; what becomes of the ${proposed} proposed ones is for you to say.` : "."}
        </p>
        <div className="dialog__actions">
          <Button onClick={onClose}>Keep the track</Button>
          {proposed > 0 && <Button onClick={() => end(false)}>End it, keep the proposals</Button>}
          <Button look="danger" onClick={() => end(true)}>
            {proposed > 0 ? "End it, discard the proposals" : "End it"}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
