import { NothingHere } from "./kit/kit";

export function NotFoundPage() {
  return (
    <main className="page" id="content">
      <NothingHere />
    </main>
  );
}
