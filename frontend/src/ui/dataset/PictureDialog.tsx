import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import { jobEnded } from "../../api/jobEnded";
import type { DeepMapping, ImageRecord } from "../../api/types";
import { bytes } from "../kit/format";
import { Button, Dialog, ErrorState, Field, Loading, Note } from "../kit/kit";
import { keysOf, useAskAnew } from "../kit/useChange";
import { useDataset } from "./DatasetPage";
import { CONSENTS } from "./RightsFields";

interface Place {
  crs: string;
  transform: number[];
}

/** What is known of one picture, and how its values are shown. */
export function PictureDialog({ imageId, close }: { imageId: number; close: () => void }) {
  const image = useQuery({ queryKey: ["image", imageId], queryFn: () => api.image(imageId) });
  return (
    <Dialog title={image.data?.file_name ?? "Picture"} onClose={close} wide>
      {image.isPending && <Loading label="Loading the picture" />}
      {image.isLoadingError && <ErrorState error={image.error} retry={() => void image.refetch()} />}
      {image.data && (
        <div className="stack">
          <Facts image={image.data} />
          {image.data.mapping !== null && <MappingForm key={image.data.file_url} image={image.data} />}
        </div>
      )}
    </Dialog>
  );
}

function Facts({ image }: { image: ImageRecord }) {
  const place = image.georeference as Place | null;
  const rows = [
    ["Size", `${image.width} x ${image.height} pixels, ${bytes(image.byte_size)}`],
    ["Kind", image.media_type],
    ["Shown as", image.conversion || "it is"],
    ["Licence", image.licence],
    ["Source", image.source],
    ["Photographer", image.credit],
    ["Consent", CONSENTS.find((one) => one.value === image.consent)?.label ?? ""],
    ["Place", place ? `${place.crs || "no coordinate system"}, pixels of ${pixelOf(place)}` : ""],
    ["SHA-256", image.sha256],
  ].filter(([, value]) => value);
  return (
    <dl className="picture-facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const pixelOf = ({ transform }: Place): string => {
  const [a = 0, b = 0, , d = 0, e = 0] = transform;
  return `${Number(Math.hypot(a, d).toPrecision(6))} x ${Number(Math.hypot(b, e).toPrecision(6))}`;
};

/** Which values become black and white, and which channels red, green and blue. */
function MappingForm({ image }: { image: ImageRecord }) {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const mapping = image.mapping as DeepMapping;
  const [low, setLow] = useState(mapping.low.map(String));
  const [high, setHigh] = useState(mapping.high.map(String));
  const [channels, setChannels] = useState(mapping.channels);
  const [inverted, setInverted] = useState(mapping.inverted);
  // Whoever closes the dialog waits no longer for the picture.
  const closed = useRef(new AbortController());
  useEffect(() => {
    closed.current = new AbortController();
    return () => closed.current.abort();
  }, []);
  const moved = channels.join() !== mapping.channels.join();
  const change = useMutation({
    mutationFn: async (byValues: boolean) => {
      const ends = byValues || moved ? {} : { low: low.map(Number), high: high.map(Number) };
      await jobEnded(await api.mapValues(image.id, { channels, inverted, ...ends }), closed.current.signal, api.job);
    },
    onSuccess: () => askAnew([["image", image.id], ...keysOf(dataset.id, "images")]),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(false);
  };
  return (
    <form className="stack" onSubmit={submit}>
      <h3>Values shown</h3>
      <img className="mapping__picture" src={image.thumbnail_url} alt="As it is shown now" />
      {change.isError && <Note tone="bad">{messageOf(change.error)}</Note>}
      {channels.map((channel, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: places are red, green and blue
        <fieldset className="row mapping__channel" key={place}>
          <legend>{channels.length === 1 ? "Grey" : ["Red", "Green", "Blue"][place]}</legend>
          {mapping.count > 1 && (
            <Field label="Channel">
              {(id) => (
                <select
                  id={id}
                  className="input input--small"
                  value={channel}
                  onChange={(event) => setChannels(replaced(channels, place, Number(event.target.value)))}
                >
                  {Array.from({ length: mapping.count }, (_, number) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: channels are known by their number
                    <option key={number} value={number}>
                      {number + 1}
                    </option>
                  ))}
                </select>
              )}
            </Field>
          )}
          <Ending
            label="Black at"
            value={low[place] ?? ""}
            off={moved}
            change={(text) => setLow(replaced(low, place, text))}
          />
          <Ending
            label="White at"
            value={high[place] ?? ""}
            off={moved}
            change={(text) => setHigh(replaced(high, place, text))}
          />
          <span className="muted small">
            Values from {mapping.minimum[place]} to {mapping.maximum[place]}
          </span>
        </fieldset>
      ))}
      <label className="row">
        <input type="checkbox" checked={inverted} onChange={(event) => setInverted(event.target.checked)} />
        Low values bright
      </label>
      <p className="muted small">Masks stay where they are. The model looks at the picture again.</p>
      <div className="row">
        <Button type="submit" look="primary" busy={change.isPending}>
          Show it so
        </Button>
        <Button busy={change.isPending} onClick={() => change.mutate(true)}>
          Choose from the values
        </Button>
      </div>
    </form>
  );
}

interface EndingProps {
  label: string;
  value: string;
  off: boolean;
  change: (text: string) => void;
}

function Ending({ label, value, off, change }: EndingProps) {
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          className="input input--number"
          type="number"
          step="any"
          required
          disabled={off}
          value={value}
          onChange={(event) => change(event.target.value)}
        />
      )}
    </Field>
  );
}

const replaced = <T,>(list: readonly T[], place: number, value: T): T[] =>
  list.map((old, index) => (index === place ? value : old));
