import { FolderUp, Upload } from "lucide-react";
import { type RefObject, useRef } from "react";
import { Button } from "../kit/kit";
import { type PlacedFile, pickedFiles } from "./droppedFiles";

const ACCEPTED =
  "image/*,video/*,.mkv,.avi,.zip,application/zip,.tar,.tgz,.gz,application/x-tar,application/gzip,.tif,.tiff,.dcm,application/dicom,.heic,.heif";

interface Props {
  add: (files: PlacedFile[]) => void;
  /** Opens the picker from elsewhere too. */
  picker: RefObject<HTMLInputElement | null>;
}

/** Pictures, videos, archives of them, or a folder with everything in it. */
export function AddPictures({ add, picker }: Props) {
  const folder = useRef<HTMLInputElement>(null);
  const chosen = (input: HTMLInputElement) => {
    add(pickedFiles(input.files));
    input.value = "";
  };
  return (
    <>
      <Button icon={FolderUp} onClick={() => folder.current?.click()}>
        Add a folder
      </Button>
      <Button icon={Upload} onClick={() => picker.current?.click()}>
        Add pictures
      </Button>
      <input
        ref={picker}
        type="file"
        multiple
        accept={ACCEPTED}
        hidden
        onChange={(event) => chosen(event.currentTarget)}
      />
      <input
        ref={folder}
        type="file"
        multiple
        hidden
        data-folder
        {...{ webkitdirectory: "" }}
        onChange={(event) => chosen(event.currentTarget)}
      />
    </>
  );
}
